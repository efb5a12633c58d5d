#pragma once
#include <cstdint>

#include "quant/market/messages.hpp"
#include "quant/market/rules.hpp"
#include "quant/oms/order_state.hpp"

namespace quant {

// One order from its birth; `wanted` is what was asked for, `quantity` what was sent after lots and cash.
struct Order {
  int64_t id = 0;
  int32_t row = 0;
  int64_t ts = 0;
  int32_t instrument = 0;
  int8_t side = 0;
  OrderState state = OrderState::NEW;
  Reason reason = Reason::NONE;
  Target target = Target::kNone;
  Tif tif = Tif::kDay;
  OrderKind kind = OrderKind::kMarket;
  int32_t tag = 0;
  int64_t weight = -1;
  int64_t wanted = 0;
  int64_t quantity = 0;
  int64_t filled = 0;
  int64_t price = 0;
  int64_t stop = 0;
  int64_t protect = 0;
  int64_t reserved = 0;       // cash held back for what is not filled yet
  int64_t reserve_price = 0;  // at this price
  // A replace on its way to the venue, next_quantity 0 = none.
  int64_t next_quantity = 0, next_price = 0, next_stop = 0, next_reserve = 0;
  bool carried = false;  // rests at the venue beyond the end of the session
  int64_t notional = 0;  // of the fills so far; fees are cumulative per order
  int64_t commission = 0, stamp = 0, transfer = 0;
  int64_t remaining() const { return quantity - filled; }
  // Shares that count as on their way: the larger of what is open and what a replace may make of it.
  int64_t on_way() const { return (next_quantity > quantity ? next_quantity : quantity) - filled; }
  template <class A>
  void fields(A& a) {
    a(id, row, ts, instrument, side, state, reason, target, tif, kind, tag, weight, wanted, quantity, filled,
      price, stop, protect, reserved, reserve_price, next_quantity, next_price, next_stop, next_reserve,
      carried, notional, commission, stamp, transfer);
  }
};

struct Fill {
  int32_t row = 0;
  int64_t ts = 0;
  int64_t order_id = 0;
  int32_t instrument = 0;
  int8_t side = 0;
  int64_t quantity = 0;
  int64_t price = 0;
  int64_t notional = 0;
  int64_t commission = 0, stamp = 0, transfer = 0;
  Reason reason = Reason::NONE;  // REDUCED_TO_CASH if the order was cut to the cash at hand
  template <class A>
  void fields(A& a) {
    a(row, ts, order_id, instrument, side, quantity, price, notional, commission, stamp, transfer, reason);
  }
};

// The largest legal buy that `budget` pays for with its fees, at most `wanted`.
int64_t affordable(int64_t wanted, int64_t price, int64_t budget, const LotRule& lots, const FeeRule& fees,
                   int64_t unit);

// Price and fees of buying `quantity`.
int64_t buy_cost(int64_t quantity, int64_t price, const FeeRule& fees, int64_t unit);

}  // namespace quant
