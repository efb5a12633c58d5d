#include "quant/sim/bar_match.hpp"

#include <algorithm>

#include "quant/market/messages.hpp"

namespace quant {
namespace {

// How much better than `limit` the price is for this side, < 0 = worse.
int64_t better(int8_t side, int64_t price, int64_t limit) { return side * (limit - price); }

BarMatch none(Reason reason, bool triggered) { return {0, Phase::kClose, false, triggered, reason}; }

// Sealed at the side's limit: nobody sells at limit-up, nobody buys at limit-down.
Reason sealed(const Bar& bar, int8_t side, int64_t price) {
  if (side == kBuy && bar.limit_up > 0 && price >= bar.limit_up) return Reason::LIMIT_UP;
  if (side == kSell && bar.limit_down > 0 && price <= bar.limit_down) return Reason::LIMIT_DOWN;
  return Reason::NONE;
}

BarMatch at_market(const Bar& bar, int8_t side, BarAt at) {
  const int64_t worst = side == kBuy ? bar.high : bar.low;
  const int64_t price = at == BarAt::kOpen    ? bar.open
                        : at == BarAt::kClose ? bar.close
                        : at == BarAt::kVwap  ? bar.vwap
                                              : worst;
  if (price <= 0) return none(Reason::NO_BAR, false);
  if (const Reason reason = sealed(bar, side, price); reason != Reason::NONE) return none(reason, false);
  return {price, at == BarAt::kOpen ? Phase::kOpen : Phase::kClose, true, false, Reason::NONE};
}

BarMatch at_limit(const Bar& bar, const BarOrder& order, bool touch, bool triggered) {
  if (better(order.side, bar.open, order.price) > 0)
    return {bar.open, Phase::kOpen, false, triggered, Reason::NONE};
  const int64_t best = order.side == kBuy ? bar.low : bar.high;
  const int64_t through = better(order.side, best, order.price);
  if (!order.immediate && (through > 0 || (touch && through == 0)))
    return {order.price, Phase::kClose, false, triggered, Reason::NONE};
  return none(Reason::LIMIT_PRICE, triggered);
}

BarMatch at_stop(const Bar& bar, const BarOrder& order, BarAt at, bool touch) {
  const bool limited = order.kind == OrderKind::kStopLimit;
  if (order.triggered || order.side * (bar.open - order.stop) >= 0) {
    if (limited) return at_limit(bar, order, touch, true);
    BarMatch found = at_market(bar, order.side, at == BarAt::kWorst ? at : BarAt::kOpen);
    found.triggered = true;
    return found;
  }
  const int64_t far = order.side == kBuy ? bar.high : bar.low;
  if (order.side * (far - order.stop) < 0) return none(Reason::NONE, false);
  if (limited && better(order.side, order.stop, order.price) < 0) return none(Reason::LIMIT_PRICE, true);
  int64_t price = at == BarAt::kWorst ? far : order.stop;
  if (limited && better(order.side, price, order.price) < 0) price = order.price;
  const Reason reason = sealed(bar, order.side, price);
  if (reason != Reason::NONE) return none(reason, true);
  return {price, Phase::kClose, true, true, Reason::NONE};
}

BarMatch at_auction(const Bar& bar, const BarOrder& order, int64_t price, Phase phase) {
  if (price <= 0) return none(Reason::NO_BAR, false);
  if (order.price > 0 && better(order.side, price, order.price) <= 0) return none(Reason::NOT_FILLED, false);
  if (const Reason reason = sealed(bar, order.side, price); reason != Reason::NONE)
    return none(reason, false);
  return {price, phase, order.price == 0, false, Reason::NONE};
}

}  // namespace

BarMatch match_bar(const Bar& bar, const BarOrder& order, BarAt at, bool touch) {
  if (bar.open <= 0 || (order.kind != OrderKind::kMarket && bar.volume <= 0))
    return none(Reason::NO_BAR, order.triggered);
  switch (order.kind) {
    case OrderKind::kMarket:
      return at_market(bar, order.side, at);
    case OrderKind::kLimit:
      return at_limit(bar, order, touch, false);
    case OrderKind::kStop:
    case OrderKind::kStopLimit:
      return at_stop(bar, order, at, touch);
    case OrderKind::kOpenAuction:
      return bar.opens ? at_auction(bar, order, bar.open, Phase::kOpen) : none(Reason::WRONG_PHASE, false);
    case OrderKind::kCloseAuction:
      return bar.closes ? at_auction(bar, order, bar.close, Phase::kClose) : none(Reason::NONE, false);
  }
  return none(Reason::INVALID, false);
}

}  // namespace quant
