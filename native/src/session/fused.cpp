#include "quant/session/fused.hpp"

#include <algorithm>

#include "quant/session/loop.hpp"

namespace quant {
void run_fused(Kernel& kernel, SimVenue& venue, const ConstructPlan& plan, const Decisions& decisions,
               int32_t first, int32_t last, bool before_close) {
  Loop loop(kernel, venue);
  const auto width = static_cast<size_t>(kernel.market().S);
  size_t next = 0;
  const auto count = static_cast<size_t>(decisions.count);
  while (next < count && decisions.rows[next] < first) ++next;
  const Market& market = kernel.market();
  int32_t end = -1;  // last bar of t's session
  // The next bar at which something can happen: without an order only decisions and the ends of a session.
  const auto following = [&](int32_t t) {
    if (!kernel.idle()) return t + 1;
    if (end < t) end = std::min(market.last_bar(t), last);
    if (t == end) return t + 1;
    return next < count ? std::min(end, std::max(decisions.rows[next], t + 1)) : end;
  };
  for (int32_t t = first; t <= last; t = following(t)) {
    const bool decides = next < count && decisions.rows[next] == t;
    const auto decide = [&] {
      loop.decide(
          construct(plan, decisions.scores + next * width, decisions.eligible + next * width, kernel));
      ++next;
    };
    if (t < 0 || t >= market.T || market.opens(t)) loop.slice(t, Phase::kPreopen);
    loop.slice(t, Phase::kOpen);
    if (before_close && decides) {
      loop.slice(t, Phase::kDecide);
      decide();
    }
    loop.slice(t, Phase::kClose);
    if (!before_close && decides) decide();
  }
}

}  // namespace quant
