#include <algorithm>

#include "quant/prim/wide.hpp"
#include "quant/sim/sim_venue.hpp"

// Orders that meet one bar after the other: limits, stops, auctions, good till cancelled, immediate or
// cancel.
namespace quant {
namespace {

bool immediate(const Command& order) { return order.tif == Tif::kIoc || order.tif == Tif::kFok; }

}  // namespace

// What comes before the bar's open has happened meets the whole bar; what comes later meets its close only,
// and what comes at the close meets the next bar.
Resting SimVenue::working(const Command& command) const {
  Resting resting{command};
  if (resting.order.kind == OrderKind::kStop) resting.order.price = 0;
  if (resting.order.kind == OrderKind::kMarket && command.price > 0 && command.tif != Tif::kDay)
    resting.order.kind = OrderKind::kLimit;
  const bool over = row_ >= 0 && phase_ == Phase::kClose;
  resting.from = std::max(row_ + (over ? 1 : 0), 0);
  resting.late = row_ >= 0 && phase_ == Phase::kDecide;
  return resting;
}

Reason SimVenue::refuse(const Command& order) const {
  const bool limited = order.kind == OrderKind::kLimit || order.kind == OrderKind::kStopLimit;
  if (order.quantity == 0 || (limited && order.price == 0) || (is_stop(order.kind) && order.stop == 0))
    return Reason::INVALID;
  if (is_auction(order.kind) && immediate(order)) return Reason::WRONG_PHASE;
  if (row_ < 0 || phase_ == Phase::kClose || order.price == 0 || order.kind == OrderKind::kMarket)
    return Reason::NONE;
  const size_t cell = market_.of_day(row_, order.instrument);
  if (market_.flags[cell] & kNoLimit) return Reason::NONE;
  const int64_t up = market_.limit_up[cell], down = market_.limit_down[cell];
  return (up > 0 && order.price > up) || (down > 0 && order.price < down) ? Reason::BEYOND_LIMIT
                                                                          : Reason::NONE;
}

void SimVenue::replace(Resting& resting, const Command& command, std::vector<Report>& out) {
  Command changed = resting.order;
  if (command.quantity > 0) changed.quantity = command.quantity - resting.filled;
  if (command.price > 0) changed.price = command.price;
  if (command.stop > 0) changed.stop = command.stop;
  changed.protect = command.protect;
  const Reason reason = changed.quantity <= 0 ? Reason::INVALID : refuse(changed);
  if (reason != Reason::NONE) {
    out.push_back({command.order_id, ReportKind::kReplaceRejected, resting.order.quantity, 0, reason});
    return;
  }
  resting.order = changed;
  out.push_back({command.order_id, ReportKind::kReplaced, changed.quantity, changed.price, Reason::NONE});
}

Bar SimVenue::bar_of(const Resting& resting) const {
  const int32_t i = resting.order.instrument;
  const size_t cell = market_.at(row_, i), day = market_.of_day(row_, i);
  Bar bar;
  if ((market_.flags[day] & kSuspended) != 0 || (market_.flags[day] & kTrading) == 0) return bar;
  const bool limits = (market_.flags[day] & kNoLimit) == 0;
  bar = {market_.open[cell],  market_.high[cell], market_.low[cell],
         market_.close[cell], market_.vwap[cell], market_.volume[cell]};
  if (resting.late && resting.from == row_)
    bar.open = bar.high = bar.low = bar.vwap = bar.close;
  else
    bar.opens = market_.opens(row_);
  bar.closes = market_.closes(row_);
  bar.limit_up = limits ? market_.limit_up[day] : 0;
  bar.limit_down = limits ? market_.limit_down[day] : 0;
  return bar;
}

void SimVenue::end(Resting& resting, Reason reason, std::vector<Report>& out) {
  if (resting.order.quantity > 0)
    out.push_back({resting.order.order_id, ReportKind::kExpired, resting.order.quantity, 0, reason});
  resting.order.quantity = 0;
}

// Fills what this instant of the bar decides. What the open alone decides is said at the open, unless the
// amount or the price depends on the bar's volume.
void SimVenue::work(Resting& resting, std::vector<Report>& out) {
  Command& order = resting.order;
  if (phase_ == Phase::kPreopen || row_ < resting.from || resting.done >= row_) return;
  if (resting.late && resting.from == row_ && phase_ != Phase::kClose) return;
  const Bar bar = bar_of(resting);
  const BarOrder given{order.side, order.kind, order.price, order.stop, resting.triggered, immediate(order)};
  const BarMatch found = match_bar(bar, given, static_cast<BarAt>(fill_.at), fill_.touch);
  const Phase known = fill_.needs_volume() || resting.late ? Phase::kClose : found.phase;
  const bool decided = found.price > 0 && phase_ >= known;
  if (found.triggered && !resting.triggered && (decided || phase_ == Phase::kClose)) {
    resting.triggered = true;
    out.push_back({order.order_id, ReportKind::kTriggered, order.quantity, order.stop, Reason::NONE});
  }
  Reason kept = found.reason;
  if (decided) {
    int64_t paid = found.price;
    if (found.taker)
      paid = taker_price(market_, row_, order.instrument, order.side, order.quantity, found.price, fill_);
    if (order.kind == OrderKind::kStopLimit && order.side * (paid - order.price) > 0) paid = order.price;
    const bool protects = order.side == kBuy && order.protect > 0 && paid > order.protect;
    const int64_t open = order.quantity, quantity = protects ? 0 : tradable(order, order.tif == Tif::kFok);
    kept = protects ? Reason::LIMIT_PRICE : Reason::PARTICIPATION;
    if (quantity > 0) {
      out.push_back({order.order_id, ReportKind::kFill, quantity, paid, Reason::NONE});
      order.quantity = open - quantity;
      resting.filled = add(resting.filled, quantity);
    }
    resting.done = row_;
  }
  const bool over = phase_ == Phase::kClose || (decided && !fill_.needs_volume());
  if (immediate(order) && (over || (phase_ >= Phase::kOpen && !fill_.needs_volume() &&
                                    order.kind == OrderKind::kLimit && !resting.late)))
    return end(resting, kept == Reason::NONE ? Reason::NOT_FILLED : kept, out);
  if (phase_ == Phase::kClose && order.quantity > 0) close_bar(resting, out);
}

void SimVenue::close_bar(Resting& resting, std::vector<Report>& out) {
  const Command& order = resting.order;
  resting.done = row_;
  const bool closes = market_.closes(row_);
  if (order.kind == OrderKind::kOpenAuction || (order.kind == OrderKind::kCloseAuction && closes))
    return end(resting, Reason::NOT_FILLED, out);
  if (!closes) return;
  if (order.tif == Tif::kGtc)
    out.push_back({order.order_id, ReportKind::kCarried, order.quantity, order.price, Reason::NONE});
  else
    end(resting, Reason::DAY_END, out);
}

}  // namespace quant
