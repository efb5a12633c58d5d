#include <algorithm>
#include <utility>

#include "quant/kernel/kernel.hpp"
#include "quant/prim/wide.hpp"

namespace quant {

void Kernel::amend(const Intent& intent, Commands& out) {
  Order& target = order(intent.order_id);
  if (is_final(target.state)) return;  // done in the meantime: there is nothing left to change
  if (intent.kind == IntentKind::kCancel) {
    request_cancel(target, Reason::CANCEL_REQUESTED, out);
  } else {
    request_replace(target, intent, out);
  }
}

void Kernel::request_cancel(Order& order, Reason reason, Commands& out) {
  if (order.state == OrderState::CANCELLING) return;
  if (order.state == OrderState::WAITING) {
    std::erase(waiting_, order.id);
    advance(order, OrderEvent::CANCEL, reason);
    return;
  }
  advance(order, OrderEvent::CANCEL_REQUEST, reason);
  out.push_back({order.id, Action::kCancel, order.instrument, order.side, order.remaining(), order.price,
                 order.tif, order.target, order.kind, order.stop, order.protect});
}

// What is 0 stays as it was. A waiting buy is changed here; one at the venue keeps what both its old and its
// new terms may cost until the venue has answered.
void Kernel::request_replace(Order& order, const Intent& intent, Commands& out) {
  if (order.state == OrderState::CANCELLING || order.state == OrderState::REPLACING) return;
  if (intent.quantity < 0 || intent.price < 0 || intent.stop < 0 || too_large(intent)) {
    advance(order, OrderEvent::REPLACE_REFUSED, Reason::INVALID);
    return;
  }
  const int64_t total = intent.quantity > 0 ? intent.quantity : order.quantity;
  const int64_t price = intent.price > 0 ? intent.price : order.price;
  const int64_t stop = intent.stop > 0 ? intent.stop : order.stop;
  if (const Reason reason = refuse_replace(order, total, price, stop); reason != Reason::NONE) {
    advance(order, OrderEvent::REPLACE_REFUSED, reason);
    return;
  }
  session_(Mark::kReplace, order.id, total, price, stop);
  Position& position = ledger_.touch(order.instrument);
  int64_t& on_way = order.side == kBuy ? position.open_buy : position.open_sell;
  on_way -= order.on_way();
  if (order.state == OrderState::WAITING) {
    order.quantity = total;
    order.price = price;
    order.stop = stop;
    on_way += order.on_way();
    advance(order, OrderEvent::REPLACE, order.reason);
    return;
  }
  order.next_quantity = total;
  order.next_price = price;
  order.next_stop = stop;
  order.next_reserve = price > 0 ? price : std::max(order.reserve_price, order.protect);
  on_way += order.on_way();
  set_aside(order);
  advance(order, OrderEvent::REPLACE_REQUEST, order.reason);
  out.push_back({order.id, Action::kReplace, order.instrument, order.side, total, price, order.tif,
                 order.target, order.kind, stop, order.protect});
}

Reason Kernel::refuse_replace(const Order& order, int64_t total, int64_t price, int64_t stop) const {
  if (halted_) return Reason::HALTED;
  if (paused_) return Reason::PAUSED;
  const bool priced = order.kind == OrderKind::kLimit || order.kind == OrderKind::kStopLimit;
  if (!priced && order.kind != OrderKind::kStop && !(is_auction(order.kind) && order.price > 0))
    return Reason::INVALID;
  if (order.kind == OrderKind::kStop ? price > 0 : price <= 0) return Reason::INVALID;
  if (is_stop(order.kind) != (stop > 0) || total <= order.filled || row_ < 0) return Reason::INVALID;
  const LotRule& rule = lots(order.instrument);
  if (total > rule.max_order) return Reason::MAX_ORDER;
  const Position& position = *ledger_.find(order.instrument);
  if (order.side == kSell) {
    if (sub(total, order.quantity) > position.sellable()) return Reason::NOT_SELLABLE;
    const int64_t held = position.quantity - position.open_sell + order.remaining();
    return legal_sell(total - order.filled, held, rule) ? Reason::NONE : Reason::LOT;
  }
  if (!legal_buy(total, rule)) return Reason::LOT;
  const int64_t reserve = price > 0 ? price : protection(order.instrument, stop);
  if (const Reason reason = refuse(view_of(order, total, reserve), config_.limits); reason != Reason::NONE)
    return reason;
  if (order.state == OrderState::WAITING || config_.on_insufficient_cash == CashPolicy::kOverdraft)
    return Reason::NONE;
  const int64_t budget = sub(ledger_.available(), cash_floor(ledger_.nav(), config_.limits));
  return sub(rest_cost(order, total, reserve), order.reserved) > budget ? Reason::CASH : Reason::NONE;
}

// The venue tells what is open now; fills that crossed the request on its way are in it.
void Kernel::replaced(Order& order, const Report& report) {
  const int64_t total = add(order.filled, report.quantity);
  if (order.next_quantity == 0 || report.quantity <= 0 || total > order.next_quantity) {
    broken("oms.replace",
           "order " + std::to_string(order.id) + " was replaced by something else than asked for");
  }
  order.price = order.next_price;
  order.stop = order.next_stop;
  if (order.side == kBuy) order.reserve_price = order.next_reserve;
  Position& position = ledger_.touch(order.instrument);
  int64_t& on_way = order.side == kBuy ? position.open_buy : position.open_sell;
  on_way -= order.on_way();
  order.quantity = total;
  order.next_quantity = 0;
  on_way += order.on_way();
  set_aside(order);
  session_(Mark::kReplace, order.id, order.quantity, order.price, order.stop);
  advance(order, OrderEvent::REPLACE, order.reason);
}

void Kernel::drop_replace(Order& order) {
  Position& position = ledger_.touch(order.instrument);
  int64_t& on_way = order.side == kBuy ? position.open_buy : position.open_sell;
  on_way -= order.on_way();
  order.next_quantity = 0;
  on_way += order.on_way();
  set_aside(order);
}

// A session may end while the order rests on; it counts as open again from the next opening on.
void Kernel::carry(Order& order) {
  if (order.tif != Tif::kGtc) broken("oms.carry", "the venue carries an order that is good for the day only");
  advance(order, OrderEvent::CARRY, order.reason);
  if (!std::exchange(order.carried, true)) ++carried_;
}

}  // namespace quant
