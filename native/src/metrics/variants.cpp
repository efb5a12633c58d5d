#include <cstring>

#include "quant/metrics/passes.hpp"

namespace quant {
namespace base {
extern const metrics::Passes metrics_passes;
}
#ifdef QUANT_X86_VARIANTS
namespace avx2 {
extern const metrics::Passes metrics_passes;
}
namespace avx512 {
extern const metrics::Passes metrics_passes;
}
#endif
}  // namespace quant

namespace quant::metrics {
namespace {

#ifdef QUANT_X86_VARIANTS
bool has_avx2() { return __builtin_cpu_supports("avx2"); }
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
#endif

}  // namespace

const Passes* passes(const char* isa) {
#ifdef QUANT_X86_VARIANTS
  const bool best = isa == nullptr;
  if ((best || std::strcmp(isa, "avx512") == 0) && has_avx512()) return &avx512::metrics_passes;
  if ((best || std::strcmp(isa, "avx2") == 0) && has_avx2()) return &avx2::metrics_passes;
#endif
  return isa == nullptr || std::strcmp(isa, "base") == 0 ? &base::metrics_passes : nullptr;
}

}  // namespace quant::metrics
