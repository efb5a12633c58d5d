#pragma once
#include <cstdint>
#include <vector>

#include "quant/kernel/kernel.hpp"

namespace quant {

enum class Method : uint8_t { kEqual = 0, kScore = 1, kThreshold = 2 };

// Weights and fractions at kRateScale, -1 = no limit (native/config.py explains the methods).
struct ConstructPlan {
  Method method = Method::kEqual;
  int32_t top = 0;
  int64_t max_weight = -1;
  int64_t cash_buffer = 0;
  int64_t turnover_cap = -1;
};

struct Chosen {
  int32_t instrument = 0;
  double score = 0;
  int64_t weight = 0;
};

// Names to hold, best first (threshold: by index), without their weights. NaN and ineligible names never.
std::vector<Chosen> choose(const ConstructPlan& plan, const double* scores, const bool* eligible, int32_t S);

// The weights of the chosen.
void weigh(const ConstructPlan& plan, std::vector<Chosen>& chosen);

// Target-weight intents: explicit zeros for held names that leave (by index), then the chosen.
std::vector<Intent> construct(const ConstructPlan& plan, const double* scores, const bool* eligible,
                              const Kernel& kernel);

}  // namespace quant
