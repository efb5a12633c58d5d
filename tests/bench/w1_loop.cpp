// The plain limit of W1: one pass over the bars, rolling sums, the equity of every bar recorded. No orders, no
// rules, no books.
#include <cstdint>
#include <cmath>

extern "C" int64_t w1_loop(const double* open, const double* close, int64_t n, double* equity) {
  constexpr double kTick = 0.01, kCommission = 0.0003, kQuantity = 100.0;
  constexpr int64_t kFast = 10, kSlow = 30;
  double cash = 1e6, held = 0, fast = 0, slow = 0;
  bool want = false;
  int64_t trades = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double target = want ? kQuantity : 0.0;
    if (target != held) {
      const double price = target > held ? open[i] + kTick : open[i] - kTick;
      const double bought = target - held;
      cash -= bought * price + std::fabs(bought) * price * kCommission;
      held = target;
      ++trades;
    }
    fast += close[i];
    slow += close[i];
    if (i >= kFast) fast -= close[i - kFast];
    if (i >= kSlow) slow -= close[i - kSlow];
    if (i >= kSlow - 1) want = fast / kFast > slow / kSlow + 1e-6;
    equity[i] = cash + held * close[i];
  }
  return trades;
}
