#include <algorithm>
#include <utility>

#include "quant/kernel/kernel.hpp"
#include "quant/prim/wide.hpp"

namespace quant {

Order& Kernel::order(int64_t id) {
  if (id < 1 || id > static_cast<int64_t>(orders_.size())) {
    broken("oms.unknown_order", "a report names an order that was never sent: " + std::to_string(id));
  }
  return orders_[static_cast<size_t>(id - 1)];
}

void Kernel::advance(Order& order, OrderEvent event, Reason reason) {
  const OrderState next = next_state(order.state, event);
  if (next == kImpossible) {
    broken("oms.transition", "order " + std::to_string(order.id) + " cannot take event " +
                                 std::to_string(static_cast<int>(event)) + " in state " +
                                 std::to_string(static_cast<int>(order.state)));
  }
  const bool was_new = order.state == OrderState::NEW;
  order.state = next;
  order.reason = reason;
  session_(Mark::kOrderEvent, order.id, event, reason);
  if (is_final(next) && !was_new) finish(order);
}

void Kernel::send(Order& order, Commands& out) {
  if (order.side == kSell) {
    int64_t& open = ledger_.touch(order.instrument).open_sell;
    open = add(open, order.quantity);
    ++open_sells_;
    ++open_orders_;
  }
  advance(order, OrderEvent::SEND, order.reason);
  session_(Mark::kSent, order.id, order.quantity);
  out.push_back({order.id, Action::kNew, order.instrument, order.side, order.quantity, order.price, order.tif,
                 order.target});
}

void Kernel::finish(Order& order) {
  Position& position = ledger_.touch(order.instrument);
  (order.side == kBuy ? position.open_buy : position.open_sell) -= order.remaining();
  ledger_.reserve(-std::exchange(order.reserved, 0));
  --open_orders_;
  if (order.side == kSell) --open_sells_;
}

void Kernel::apply_fill(Order& order, const Report& report) {
  const int64_t remaining = order.remaining();
  if (report.quantity <= 0 || report.quantity > remaining || report.price <= 0) {
    broken("oms.overfill", "order " + std::to_string(order.id) + " is filled beyond what was sent");
  }
  const int64_t notional = notional_micros(report.price, report.quantity);
  order.notional = add(order.notional, notional);
  const Fees total = fees_of(order.notional, order.filled + report.quantity, order.side,
                             fees(order.instrument), config_.rounding);
  const Fees charged{sub(total.commission, order.commission), sub(total.stamp, order.stamp),
                     sub(total.transfer, order.transfer)};
  order.commission = total.commission;
  order.stamp = total.stamp;
  order.transfer = total.transfer;

  Position& position = ledger_.touch(order.instrument);
  (order.side == kBuy ? position.open_buy : position.open_sell) -= report.quantity;
  const int64_t freed = mul_div(order.reserved, report.quantity, remaining);
  order.reserved -= freed;
  ledger_.reserve(-freed);
  ledger_.fill(row_, order.id, position, order.side, report.quantity, report.price, charged,
               lots(order.instrument).settlement_days > 0);
  if (marked_ == row_) mark(position, row_, row_);
  order.filled += report.quantity;
  fills_.push_back({row_, now(), order.id, order.instrument, order.side, report.quantity, report.price,
                    notional, charged.commission, charged.stamp, charged.transfer, order.reason});
  session_(Mark::kFill, order.id, report.quantity, report.price, charged.commission, charged.stamp,
           charged.transfer);
  advance(order, order.remaining() == 0 ? OrderEvent::FILL : OrderEvent::PARTIAL_FILL, order.reason);
}

// The waiting buys in the order of their creation, each cut to the cash that the earlier ones leave.
void Kernel::release_buys(Commands& out) {
  for (const int64_t id : std::exchange(waiting_, {})) {
    Order& buy = order(id);
    const Reason reason = admit_buy(buy);
    if (reason == Reason::NONE) {
      send(buy, out);
    } else {
      advance(buy, OrderEvent::REJECT, reason);
    }
  }
}

Reason Kernel::admit_buy(Order& order) {
  if (halted_) return Reason::HALTED;
  const size_t cell = market_.of_day(row_, order.instrument);
  const int64_t price = fill_price(market_, row_, order.instrument, kBuy, order.quantity, config_.fill);
  if (market_.flags[cell] & kSuspended) return Reason::SUSPENDED;
  if (price == 0) return Reason::NO_BAR;
  if (const Reason refused = gate(order, price); refused != Reason::NONE) return refused;
  const int64_t floor = cash_floor(ledger_.nav(), config_.limits);
  const int64_t available = ledger_.available();
  const FeeRule& rates = fees(order.instrument);
  int64_t cost = buy_cost(order.quantity, price, rates, config_.rounding);
  const int64_t budget = sub(available, floor);
  if (cost > budget && config_.on_insufficient_cash != CashPolicy::kOverdraft) {
    const Reason reason = cost > available ? Reason::CASH : Reason::CASH_FLOOR;
    if (config_.on_insufficient_cash == CashPolicy::kReject) return reason;
    const int64_t quantity =
        affordable(order.quantity, price, budget, lots(order.instrument), rates, config_.rounding);
    if (quantity == 0) return reason;
    ledger_.touch(order.instrument).open_buy -= order.quantity - quantity;
    order.quantity = quantity;
    order.reason = Reason::REDUCED_TO_CASH;
    cost = buy_cost(quantity, price, rates, config_.rounding);
  }
  order.reserved = cost;
  ledger_.reserve(cost);
  return Reason::NONE;
}

Reason Kernel::gate(const Order& order, int64_t price) const {
  const Position* position = ledger_.find(order.instrument);  // open_buy holds a buy already
  const int64_t after = position == nullptr
                            ? order.quantity
                            : sub(add(position->quantity, position->open_buy), position->open_sell);
  const int64_t most = std::max(after, order.quantity);
  if (product_greater(mul(price, kMicrosPerPrice), most, INT64_MAX / 16, 1)) return Reason::ORDER_VALUE;
  OrderView view;
  view.quantity = order.quantity;
  view.value = notional_micros(price, order.quantity);
  view.buys = order.side == kBuy;
  view.forbidden = forbidden_[static_cast<size_t>(order.instrument)] != 0;
  view.nav = ledger_.nav();
  if (view.buys) {
    view.position_value = notional_micros(price, after);
    view.exposure = add(add(ledger_.market_value(), ledger_.reserved()), view.value);
  }
  return refuse(view, config_.limits);
}

}  // namespace quant
