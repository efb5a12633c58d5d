#include <algorithm>

#include "quant/oms/order.hpp"
#include "quant/prim/wide.hpp"

namespace quant {

int64_t buy_cost(int64_t quantity, int64_t price, const FeeRule& fees, int64_t unit) {
  const int64_t notional = notional_micros(price, quantity);
  return add(notional, fees_of(notional, quantity, kBuy, fees, unit).total());
}

int64_t affordable(int64_t wanted, int64_t price, int64_t budget, const LotRule& lots, const FeeRule& fees,
                   int64_t unit) {
  if (budget <= 0 || price <= 0) return 0;
  int64_t quantity = floor_buy(std::min(wanted, budget / (price * kMicrosPerPrice)), lots);
  while (quantity > 0 && buy_cost(quantity, price, fees, unit) > budget) {
    // Shrink by what is missing, at least one step: the cost grows with every share by at least its price.
    const int64_t missing = buy_cost(quantity, price, fees, unit) - budget;
    const int64_t shares =
        std::max<int64_t>(missing / (price * kMicrosPerPrice + price * kMicrosPerPrice / 8), 1);
    quantity = floor_buy(quantity - shares, lots);
  }
  return quantity;
}

}  // namespace quant
