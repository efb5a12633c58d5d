#include <algorithm>
#include <array>

#include "quant/kernel/kernel.hpp"
#include "quant/prim/wide.hpp"

namespace quant {
namespace {

// Beyond these an intent is a mistake, not a wish: it is refused before its arithmetic could overflow.
constexpr int64_t kMaxWeight = 100 * kRateScale;
constexpr int64_t kMaxPieces = 1'000;

}  // namespace

bool too_large(const Intent& i) {
  constexpr int64_t kMaxQuantity = 1'000'000'000'000'000, kMaxPrice = 100'000'000'000'000;
  return i.quantity > kMaxQuantity || i.price > kMaxPrice || i.stop > kMaxPrice;
}

void Kernel::record(const Intent& i) {
  session_(i.plain() ? Mark::kIntent : Mark::kOrderIntent, i.instrument, i.kind, i.weight, i.quantity, i.side,
           i.price, i.tif, i.tag);
  if (!i.plain()) session_(i.order_kind, i.stop, i.order_id);
}

// Sells are sent first, in batch order; buys wait for the fill phase and the cash of the sells. Of several
// targets for one name the last one counts.
void Kernel::convert(const std::vector<Intent>& intents, Commands& out) {
  std::vector<int32_t> seen;
  std::vector<Planned> planned;
  planned.reserve(intents.size());
  for (size_t k = intents.size(); k-- > 0 && intents.size() > 1;) {
    const Intent& intent = intents[k];
    if (intent.kind != IntentKind::kOrder) seen.push_back(intent.instrument);
  }
  std::sort(seen.begin(), seen.end());
  const bool repeated = std::adjacent_find(seen.begin(), seen.end()) != seen.end();
  for (size_t k = 0; k < intents.size(); ++k) {
    const Intent& intent = intents[k];
    const auto supersedes = [&](const Intent& later) {
      return later.kind != IntentKind::kOrder && later.instrument == intent.instrument;
    };
    if (repeated && intent.kind != IntentKind::kOrder &&
        std::any_of(intents.begin() + static_cast<std::ptrdiff_t>(k) + 1, intents.end(), supersedes)) {
      continue;
    }
    planned.push_back(plan(intent));
  }
  for (const Planned& item : planned) {
    if (item.reason != Reason::NONE) {
      create(item, item.quantity, item.reason);
    } else if (item.side == kSell && item.quantity > 0) {
      place_sell(item, out);
    }
  }
  for (const Planned& item : planned) {
    if (item.reason == Reason::NONE && item.side == kBuy && item.quantity > 0) place_buy(item);
  }
}

Kernel::Planned Kernel::plan(const Intent& intent) {
  const auto refused = [&](Reason reason) {
    return Planned{&intent, intent.side == kSell ? kSell : kBuy, std::max<int64_t>(intent.quantity, 0),
                   reason};
  };
  if (halted_) return refused(Reason::HALTED);
  if (paused_) return refused(Reason::PAUSED);
  if (const Reason reason = terms_of(intent); reason != Reason::NONE) return refused(reason);
  switch (intent.kind) {
    case IntentKind::kOrder:
      if ((intent.side != kBuy && intent.side != kSell) || intent.quantity <= 0)
        return refused(Reason::INVALID);
      return {&intent, intent.side, intent.quantity, Reason::NONE};
    case IntentKind::kQuantity:
      if (intent.quantity < 0) return refused(Reason::INVALID);
      return plan_target(intent, -1, intent.quantity);
    case IntentKind::kWeight:
      if (intent.weight < 0 || intent.weight > kMaxWeight) return refused(Reason::INVALID);
      if (intent.weight == 0) return plan_target(intent, -1, 0);
      if (reference_price(intent.instrument) == 0) return refused(Reason::NO_PRICE);
      return plan_target(intent, mul_div(std::max<int64_t>(ledger_.nav(), 0), intent.weight, kRateScale), 0);
    default:
      return refused(Reason::INVALID);
  }
}

// Limit kinds have a limit, stops a stop price; an auction has one day, and a stop cannot be immediate.
Reason Kernel::terms_of(const Intent& i) const {
  const bool known = i.tif <= Tif::kFok && i.order_kind <= OrderKind::kCloseAuction;
  if (!known || i.price < 0 || i.stop < 0 || too_large(i)) return Reason::INVALID;
  const bool immediate = i.tif == Tif::kIoc || i.tif == Tif::kFok;
  if (is_stop(i.order_kind) != (i.stop > 0)) return Reason::INVALID;
  if (is_stop(i.order_kind) && immediate) return Reason::INVALID;
  if (is_auction(i.order_kind) && i.tif != Tif::kDay) return Reason::INVALID;
  if (i.order_kind == OrderKind::kLimit || i.order_kind == OrderKind::kStopLimit) {
    if (i.price == 0) return Reason::INVALID;
  }
  return i.order_kind == OrderKind::kStop && i.price > 0 ? Reason::INVALID : Reason::NONE;
}

Kernel::Planned Kernel::plan_target(const Intent& intent, int64_t desired_micros, int64_t desired_quantity) {
  const Position* position = ledger_.find(intent.instrument);
  const int64_t effective =
      position == nullptr ? 0 : sub(add(position->quantity, position->open_buy), position->open_sell);
  int64_t delta = sub(desired_quantity, effective);
  if (desired_micros >= 0) {  // whole shares of the value that is missing or too much, towards zero
    const int64_t share = notional_micros(reference_price(intent.instrument), 1);
    delta = sub(desired_micros, mul(effective, share)) / share;
  }
  return {&intent, delta < 0 ? kSell : kBuy, delta < 0 ? -delta : delta, Reason::NONE};
}

int64_t Kernel::reference_price(int32_t instrument) const {
  if (!market_.opens(row_)) {
    if (const int64_t last = market_.last_close(row_ - 1, instrument, 0); last > 0) return last;
  }
  const int64_t quoted = market_.pre_close[market_.of_day(row_, instrument)];
  if (quoted > 0) return quoted;
  const Position* position = ledger_.find(instrument);
  return position != nullptr && position->quantity > 0 ? position->mark : 0;
}

void Kernel::place_sell(const Planned& planned, Commands& out) {
  const Intent& intent = *planned.intent;
  const LotRule& rule = lots(intent.instrument);
  const Position* position = ledger_.find(intent.instrument);
  const int64_t sellable = position == nullptr ? 0 : position->sellable();
  const int64_t held = position == nullptr ? 0 : position->quantity - position->open_sell;
  int64_t left = planned.quantity;
  if (intent.kind == IntentKind::kOrder) {
    Reason reason = Reason::NONE;
    if (left > sellable)
      reason = Reason::NOT_SELLABLE;
    else if (!legal_sell(left, held, rule))
      reason = Reason::LOT;
    else if (left > rule.max_order)
      reason = Reason::MAX_ORDER;
    if (reason != Reason::NONE) {
      create(planned, left, reason);
      return;
    }
  } else {
    left = floor_sell(planned.quantity, sellable, held, rule);
    if (left == 0) {
      if (floor_sell(planned.quantity, held, held, rule) > 0)
        create(planned, planned.quantity, Reason::NOT_SELLABLE);
      return;
    }
  }
  const int64_t piece = std::max(rule.max_order - rule.max_order % rule.sell_step, rule.sell_step);
  if (left / piece >= kMaxPieces) {
    create(planned, left, Reason::MAX_ORDER);
    return;
  }
  for (; left > 0; left -= std::min(left, piece)) {
    Order& sell = order(create(planned, std::min(left, piece), Reason::NONE));
    const Reason reason = gate(sell, reference_price(sell.instrument));
    if (reason != Reason::NONE) {
      advance(sell, OrderEvent::REJECT, reason);
    } else {
      send(sell, out);
    }
  }
}

void Kernel::place_buy(const Planned& planned) {
  const Intent& intent = *planned.intent;
  const LotRule& rule = lots(intent.instrument);
  int64_t left = planned.quantity;
  if (intent.kind == IntentKind::kOrder) {
    const Reason reason = !legal_buy(left, rule)  ? Reason::LOT
                          : left > rule.max_order ? Reason::MAX_ORDER
                                                  : Reason::NONE;
    if (reason != Reason::NONE) {
      create(planned, left, reason);
      return;
    }
  } else {
    left = floor_buy(left, rule);
  }
  const int64_t piece = std::max(floor_buy(rule.max_order, rule), rule.buy_min);
  if (left / piece >= kMaxPieces) {
    create(planned, left, Reason::MAX_ORDER);
    return;
  }
  while (left > 0) {
    const int64_t quantity = std::min(left, piece);
    Order& buy = order(create(planned, quantity, Reason::NONE));
    advance(buy, OrderEvent::HOLD, Reason::NONE);
    int64_t& open = ledger_.touch(buy.instrument).open_buy;
    open = add(open, quantity);
    ++open_orders_;
    waiting_.push_back(buy.id);
    open_.push_back(buy.id);
    left = floor_buy(left - quantity, rule);
  }
}

int64_t Kernel::create(const Planned& planned, int64_t wanted, Reason refused) {
  const Intent& intent = *planned.intent;
  Order& born = orders_.emplace_back();
  born.id = static_cast<int64_t>(orders_.size());
  born.row = row_;
  born.ts = now();
  born.instrument = intent.instrument;
  born.side = planned.side;
  born.tif = intent.tif;
  born.tag = intent.tag;
  born.wanted = born.quantity = wanted;
  born.price = intent.price;
  born.stop = intent.stop;
  born.kind =
      intent.order_kind == OrderKind::kMarket && intent.price > 0 ? OrderKind::kLimit : intent.order_kind;
  if (intent.kind == IntentKind::kWeight) born.weight = intent.weight;
  if (intent.kind != IntentKind::kOrder) {
    const bool zero = intent.kind == IntentKind::kWeight ? intent.weight == 0 : intent.quantity == 0;
    born.target = zero ? Target::kZero : Target::kHold;
  }
  const bool plain = intent.order_kind == OrderKind::kMarket && intent.tif == Tif::kDay;
  session_(plain ? Mark::kNewOrder : Mark::kNewSpecial, born.id, born.instrument, born.side, born.wanted,
           born.price, born.target, born.tag);
  if (!plain) session_(born.kind, born.tif, born.stop);
  if (refused != Reason::NONE) {
    born.quantity = 0;
    advance(born, OrderEvent::REJECT, refused);
  }
  return born.id;
}

}  // namespace quant
