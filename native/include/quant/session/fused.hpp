#pragma once
#include <cstdint>

#include "quant/kernel/kernel.hpp"
#include "quant/session/construct.hpp"
#include "quant/sim/sim_venue.hpp"

namespace quant {

// One row of scores per decision: rows [R] ascending bars, scores and eligible [R, S] (nullptr: all are).
struct Decisions {
  int32_t count = 0;
  const int32_t* rows = nullptr;
  const double* scores = nullptr;
  const bool* eligible = nullptr;
};

// The session loop over rows first..last with everything in one process: the same steps in the same order as
// the loop driven from Python. Bars at which nothing can happen are left out.
void run_fused(Kernel& kernel, SimVenue& venue, const ConstructPlan& plan, const Decisions& decisions,
               int32_t first, int32_t last, bool before_close);

}  // namespace quant
