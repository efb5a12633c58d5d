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
    if (order.kind == OrderKind::kMarket) ++open_sells_;
    ++open_orders_;
    open_.push_back(order.id);
  }
  advance(order, OrderEvent::SEND, order.reason);
  session_(Mark::kSent, order.id, order.quantity);
  out.push_back({order.id, Action::kNew, order.instrument, order.side, order.quantity, order.price, order.tif,
                 order.target, order.kind, order.stop, order.protect});
}

void Kernel::finish(Order& order) {
  Position& position = ledger_.touch(order.instrument);
  (order.side == kBuy ? position.open_buy : position.open_sell) -= order.on_way();
  order.next_quantity = 0;
  ledger_.reserve(-std::exchange(order.reserved, 0));
  --open_orders_;
  if (order.side == kSell && order.kind == OrderKind::kMarket) --open_sells_;
  if (std::exchange(order.carried, false)) --carried_;
  open_.erase(std::lower_bound(open_.begin(), open_.end(), order.id));
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
  const int64_t tax =
      order.side == kSell ? ledger_.dividend_tax(position, report.quantity, config_.rounding) : 0;
  ledger_.fill(row_, order.id, position, order.side, report.quantity, report.price, charged,
               lots(order.instrument).settlement_days);
  if (tax > 0) {
    ledger_.pay_dividend_tax(row_, order.id, position, tax);
    session_(Mark::kDividendTax, order.id, tax);
  }
  if (marked_ == row_) mark(position, row_, row_);
  order.filled += report.quantity;
  set_aside(order);
  fills_.push_back({row_, now(), order.id, order.instrument, order.side, report.quantity, report.price,
                    notional, charged.commission, charged.stamp, charged.transfer, order.reason});
  session_(Mark::kFill, order.id, report.quantity, report.price, charged.commission, charged.stamp,
           charged.transfer);
  advance(order, order.remaining() == 0 ? OrderEvent::FILL : OrderEvent::PARTIAL_FILL, order.reason);
}

// The waiting buys in the order of their creation, each cut to the cash that the earlier ones leave.
void Kernel::release_buys(Commands& out) {
  size_t done = 0;
  for (; done < waiting_.size(); ++done) {
    Order& buy = order(waiting_[done]);
    if (!releasable(buy)) break;
    const Reason reason = admit_buy(buy);
    if (reason == Reason::NONE) {
      send(buy, out);
    } else {
      advance(buy, OrderEvent::REJECT, reason);
    }
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(done));
}

// At the fill instant, once the market sells are done; an order with a price of its own as soon as the cash
// at hand pays for it.
bool Kernel::releasable(const Order& order) const {
  if (phase_ >= config_.fill.phase() && open_sells_ == 0) return true;
  if (order.kind == OrderKind::kMarket) return false;
  const int64_t price = buying_price(order);
  const int64_t budget = sub(ledger_.available(), cash_floor(ledger_.nav(), config_.limits));
  if (price == 0 || view_of(order, order.quantity, price).too_large) return true;  // to be refused
  return rest_cost(order, order.quantity, price) <= budget;
}

int64_t Kernel::buying_price(const Order& order) const {
  if (order.kind == OrderKind::kMarket)
    return fill_price(market_, row_, order.instrument, kBuy, order.quantity, config_.fill);
  return order.price > 0 ? order.price : protection(order.instrument, order.stop);
}

// The day's upper limit, else a margin above the reference price and the stop.
int64_t Kernel::protection(int32_t instrument, int64_t least) const {
  const size_t cell = market_.of_day(row_, instrument);
  if ((market_.flags[cell] & kNoLimit) == 0 && market_.limit_up[cell] > 0) return market_.limit_up[cell];
  const int64_t from = std::max(reference_price(instrument), least);
  return add(from, mul_div(from, config_.protection, kRateScale));
}

// What buying up to `total` shares may still cost at `price`, fees by the order's cumulative turnover.
int64_t Kernel::rest_cost(const Order& order, int64_t total, int64_t price) const {
  const int64_t rest = notional_micros(price, total - order.filled);
  const Fees all = fees_of(add(order.notional, rest), total, kBuy, fees(order.instrument), config_.rounding);
  const int64_t charged = add(add(order.commission, order.stamp), order.transfer);
  return add(rest, std::max<int64_t>(sub(all.total(), charged), 0));
}

// Holds back the cash that the order may still cost, whichever way a replace on its way ends.
void Kernel::set_aside(Order& order) {
  if (order.side != kBuy) return;
  int64_t need = order.remaining() > 0 ? rest_cost(order, order.quantity, order.reserve_price) : 0;
  if (order.next_quantity > order.filled) {
    need = std::max(need, rest_cost(order, order.next_quantity, order.next_reserve));
  }
  ledger_.reserve(sub(need, std::exchange(order.reserved, need)));
}

Reason Kernel::admit_buy(Order& order) {
  if (halted_) return Reason::HALTED;
  const size_t cell = market_.of_day(row_, order.instrument);
  const int64_t price = buying_price(order);
  if (market_.flags[cell] & kSuspended) return Reason::SUSPENDED;
  if (price == 0) return order.kind == OrderKind::kMarket ? Reason::NO_BAR : Reason::NO_PRICE;
  if (const Reason refused = gate(order, price); refused != Reason::NONE) return refused;
  const int64_t floor = cash_floor(ledger_.nav(), config_.limits);
  const int64_t available = ledger_.available();
  const FeeRule& rates = fees(order.instrument);
  const int64_t cost = buy_cost(order.quantity, price, rates, config_.rounding);
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
  }
  order.reserve_price = price;
  if (order.kind != OrderKind::kMarket && order.price == 0) order.protect = price;
  set_aside(order);
  return Reason::NONE;
}

Reason Kernel::gate(const Order& order, int64_t price) const {
  return refuse(view_of(order, order.quantity, price), config_.limits);
}

// The order as if it were for `total` shares at `price`.
OrderView Kernel::view_of(const Order& order, int64_t total, int64_t price) const {
  const Position* position = ledger_.find(order.instrument);  // open_buy holds a buy already
  int64_t after = total;
  if (position != nullptr) {
    after = sub(add(position->quantity, position->open_buy), position->open_sell);
    if (order.side == kBuy) after = add(after, sub(total, order.quantity));
  }
  OrderView view;
  view.too_large = product_greater(mul(price, kMicrosPerPrice), std::max(after, total), INT64_MAX / 16, 1);
  if (view.too_large) return view;
  view.quantity = total;
  view.value = notional_micros(price, total);
  view.buys = order.side == kBuy;
  view.forbidden = forbidden_[static_cast<size_t>(order.instrument)] != 0;
  view.nav = ledger_.nav();
  if (view.buys) {
    view.position_value = notional_micros(price, after);
    view.exposure = add(add(ledger_.market_value(), ledger_.reserved()), view.value);
  }
  return view;
}

}  // namespace quant
