#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../tests/small_market.hpp"
#include "quant/sim/sim_venue.hpp"

// Any bytes as the state of a kernel and of its venue: refused, or a state that trades on without a fault.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quant;
  static const tests::SmallMarket small(4, 2, 3, 1);
  static const KernelConfig config = small.config();
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] % 2 == 0) {
      Kernel kernel(small.market, config);
      kernel.restore(bytes);
      Commands out;
      for (int32_t t = kernel.row() + 1; t < small.market.T; ++t) {
        if (small.market.opens(t)) kernel.on_slice(t, Phase::kPreopen, out);
        kernel.on_slice(t, Phase::kOpen, out);
        kernel.on_slice(t, Phase::kClose, out);
      }
    } else {
      SimVenue venue(small.market, config.fill, config.lots);
      venue.restore(bytes);
      std::vector<Report> reports;
      for (int32_t t = venue.row() + 1; t < small.market.T; ++t) venue.poll(t, Phase::kOpen, reports);
    }
  } catch (const Failure&) {
    // refused: what a wrong state must end in
  }
  return 0;
}
