#include "quant/bars/clean.hpp"

namespace quant::bars {
namespace {

using i128 = __int128;

bool far(std::int64_t a, std::int64_t b, std::int64_t jump) {
  const i128 distance = a > b ? i128{a} - b : i128{b} - a;
  return distance * 10000 > i128{b} * jump;
}

bool beyond_limits(const Ticks& t, std::int64_t k) {
  const bool under = t.low != nullptr && t.low[k] > 0 && t.price[k] < t.low[k];
  const bool over = t.high != nullptr && t.high[k] > 0 && t.price[k] > t.high[k];
  return under || over;
}

// Only a running total tells a tick that came twice from two trades alike.
bool says_the_same(const Ticks& t, std::int64_t k) {
  return t.total != nullptr && k > 0 && t.ts[k] == t.ts[k - 1] && t.price[k] == t.price[k - 1] &&
         t.session[k] == t.session[k - 1] && (t.total == nullptr || t.total[k] == t.total[k - 1]);
}

// Whether the next priced tick of the session stays near price k: a true move, no stray print.
bool confirmed(const Ticks& t, std::int64_t k, std::int64_t jump) {
  for (std::int64_t next = k + 1; next < t.count && t.session[next] == t.session[k]; ++next)
    if (t.price[next] > 0 && !beyond_limits(t, next)) return !far(t.price[next], t.price[k], jump);
  return false;
}

}  // namespace

void find_faults(const Ticks& t, std::int64_t jump, std::uint8_t* faults) {
  std::int64_t latest = 0, good = 0, total = 0;
  std::int32_t session = 0;
  for (std::int64_t k = 0; k < t.count; ++k) {
    std::uint8_t fault = 0;
    if (k == 0 || t.session[k] != session) {
      good = total = 0;
      session = t.session[k];
    }
    if (k > 0 && t.ts[k] < latest) fault |= kBackwards;
    if (k == 0 || t.ts[k] > latest) latest = t.ts[k];
    if (says_the_same(t, k)) fault |= kDuplicate;
    if (t.total != nullptr) {
      if (t.total[k] < total)
        fault |= kReset;
      else
        total = t.total[k];
    }
    if (t.price[k] <= 0)
      fault |= kNoPrice;
    else if (beyond_limits(t, k) ||
             (jump > 0 && good > 0 && far(t.price[k], good, jump) && !confirmed(t, k, jump)))
      fault |= kSpike;
    else if ((fault & kBackwards) == 0)
      good = t.price[k];
    faults[k] = fault;
  }
}

}  // namespace quant::bars
