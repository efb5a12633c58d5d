#pragma once
#include <cstdint>
#include <vector>

#include "quant/kernel/kernel.hpp"

namespace quant {

enum class Method : uint8_t { kEqual = 0, kScore = 1, kThreshold = 2, kFixed = 3 };

// Weights and fractions at kRateScale, -1 = no limit (native/config.py explains the methods).
struct ConstructPlan {
  Method method = Method::kEqual;
  int32_t top = 0;
  int64_t max_weight = -1;
  int64_t cash_buffer = 0;
  int64_t turnover_cap = -1;
  int64_t quantity = 0;  // shares of a name that enters (fixed)
};

struct Chosen {
  int32_t instrument = 0;
  double score = 0;
  int64_t weight = 0;
};

// Whether a name with this score is to be held; `eligible` nullptr: every name may be.
inline bool wanted(const double* scores, const bool* eligible, size_t i) {
  return scores[i] > 0 && (eligible == nullptr || eligible[i]);
}

// Names to hold, best first (threshold, fixed: by index), without weights. NaN and ineligible names never.
std::vector<Chosen> choose(const ConstructPlan& plan, const double* scores, const bool* eligible, int32_t S);

// The weights of the chosen.
void weigh(const ConstructPlan& plan, std::vector<Chosen>& chosen);

// Target-weight intents: explicit zeros for held names that leave (by index), then the chosen. Fixed: only
// of names that enter or leave, in shares.
std::vector<Intent> construct(const ConstructPlan& plan, const double* scores, const bool* eligible,
                              const Kernel& kernel);

}  // namespace quant
