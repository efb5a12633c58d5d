#include "quant/sim/tick_venue.hpp"

#include <algorithm>
#include <utility>

#include "quant/prim/failure.hpp"
#include "quant/prim/wide.hpp"

// Time, sessions and arrivals; tick_match.cpp says who trades with what.
namespace quant {
namespace {

[[noreturn]] void misuse(const char* code, const char* message) {
  throw Failure(FailureKind::kUsage, code, message);
}

bool auctions(Session session) {
  return session == Session::kOpenAuction || session == Session::kCloseAuction;
}

}  // namespace

TickVenue::TickVenue(int32_t instruments, const TickRule& rule) : rule_(rule) {
  if (instruments < 1) misuse("venue.instruments", "a venue needs at least one instrument");
  if (rule.tick < 1 || rule.entry_latency < 0 || rule.answer_latency < 0 || rule.slippage < 0 ||
      rule.participation > kRateScale || rule.queue.power < 1 || rule.queue.power > 4) {
    misuse("venue.rule",
           "tick >= 1, latencies and slippage >= 0, participation <= 1, power of the queue model 1..4");
  }
  places_.resize(static_cast<size_t>(instruments));
}

TickVenue::Place& TickVenue::at(int32_t instrument) {
  if (instrument < 0 || static_cast<size_t>(instrument) >= places_.size())
    misuse("venue.instrument", "an order or a row names an instrument outside the market");
  return places_[static_cast<size_t>(instrument)];
}

const TickVenue::Place& TickVenue::at(int32_t instrument) const {
  return const_cast<TickVenue*>(this)->at(instrument);
}

void TickVenue::set_windows(int32_t instrument, std::vector<Window> windows) {
  for (size_t k = 0; k < windows.size(); ++k) {
    if (windows[k].begin >= windows[k].end || (k > 0 && windows[k].begin < windows[k - 1].end))
      misuse("venue.windows", "trading hours must ascend and not overlap");
  }
  Place& place = at(instrument);
  place.windows = std::move(windows);
  place.entered = 0;
}

void TickVenue::set_limits(int32_t instrument, int64_t down, int64_t up) {
  Place& place = at(instrument);
  place.down = down;
  place.up = up;
}

void TickVenue::set_cage(int32_t instrument, const CageRule& rule, int64_t prev_close) {
  if (rule.tick < 1 || rule.up < 0 || rule.down < 0 || rule.ticks < 0 || rule.beyond > Beyond::kHold)
    misuse("venue.cage", "a price range needs a tick >= 1 and multiples >= 0");
  Place& place = at(instrument);
  place.cage = rule;
  place.prev_close = prev_close;
}

CageAnswer TickVenue::caged(const Place& place, const Command& order) const {
  const CageQuote quote{place.touch[1].price, place.touch[0].price, place.last, place.prev_close};
  const bool asks = order.kind == OrderKind::kLimit && place.cage.beyond != Beyond::kNone;
  if (!asks || cage_base(order.side, quote) <= 0) return CageAnswer::kOk;
  return price_cage(order.side, order.price, quote, place.cage);
}

void TickVenue::release_held(Place& place, TickReports& out) {
  for (size_t k = 0; k < place.held.size();) {
    if (caged(place, place.held[k].order) != CageAnswer::kOk) {
      ++k;
      continue;
    }
    const Working live = place.held[k];
    place.held.erase(place.held.begin() + static_cast<std::ptrdiff_t>(k));
    --working_;
    enter(place, live.order, live.filled, out);
  }
}

void TickVenue::submit(const Command& command, int64_t sent) {
  at(command.instrument);
  if (sent < now_) misuse("venue.time", "an order was sent before the venue's present");
  const Arrival arrival{add(sent, rule_.entry_latency), ++sequence_, command};
  const auto later = [](int64_t ts, const Arrival& other) { return ts < other.arrives; };
  arriving_.insert(std::upper_bound(arriving_.begin(), arriving_.end(), arrival.arrives, later), arrival);
}

void TickVenue::move_to(int64_t ts) {
  if (ts < now_) misuse("venue.time", "rows must come in the order of their time");
  now_ = ts;
}

void TickVenue::advance(int64_t ts, TickReports& out) {
  arrive_before(ts, true, out);
  move_to(ts);
}

void TickVenue::arrive_before(int64_t ts, bool inclusive, TickReports& out) {
  size_t due = 0;  // an arrival never sends another order: the list does not change meanwhile
  while (due < arriving_.size() &&
         (arriving_[due].arrives < ts || (inclusive && arriving_[due].arrives == ts)))
    ++due;
  for (size_t k = 0; k < due; ++k) {
    now_ = std::max(now_, arriving_[k].arrives);
    arrive(arriving_[k], out);
  }
  arriving_.erase(arriving_.begin(), arriving_.begin() + static_cast<std::ptrdiff_t>(due));
}

Reason TickVenue::refuse(const Place& place, const Command& order, Session session) const {
  if ((order.side != kBuy && order.side != kSell) || order.quantity <= 0 || order.price < 0 ||
      order.stop < 0 || order.kind > OrderKind::kCloseAuction || order.tif > Tif::kFok)
    return Reason::INVALID;
  const bool priced = order.kind == OrderKind::kLimit || order.kind == OrderKind::kStopLimit;
  if ((priced && order.price == 0) || (is_stop(order.kind) && order.stop == 0)) return Reason::INVALID;
  if (session == Session::kClosed) return Reason::OUT_OF_SESSION;
  if (order.price % rule_.tick != 0 || order.stop % rule_.tick != 0) return Reason::TICK;
  if (order.kind != OrderKind::kMarket && order.kind != OrderKind::kStop && order.price > 0 &&
      !inside(place, order.price))
    return Reason::BEYOND_LIMIT;
  const bool patient = order.tif == Tif::kDay || order.tif == Tif::kGtc;
  if (auctions(session) && (order.kind == OrderKind::kMarket || (!patient && !is_stop(order.kind))))
    return Reason::WRONG_PHASE;
  if (session == Session::kContinuous && caged(place, order) == CageAnswer::kReject)
    return Reason::PRICE_CAGE;
  if (is_auction(order.kind)) {
    const Session wanted =
        order.kind == OrderKind::kOpenAuction ? Session::kOpenAuction : Session::kCloseAuction;
    const bool comes = !place.windows.empty() &&
                       std::any_of(place.windows.begin() + static_cast<std::ptrdiff_t>(place.entered) - 1,
                                   place.windows.end(), [&](const Window& window) {
                                     return window.kind == wanted && window.day == place.window().day;
                                   });
    if (!comes) return Reason::WRONG_PHASE;
  }
  return Reason::NONE;
}

void TickVenue::arrive(const Arrival& arrival, TickReports& out) {
  const Command& command = arrival.command;
  Place& place = at(command.instrument);
  const Session phase = session(place, arrival.arrives, out);
  if (phase == Session::kContinuous && place.auction != Session::kClosed)
    resolve_auction(place, 0, 0, out);  // over without a print
  if (command.action == Action::kCancel) return cancel(place, command, phase, out);
  if (command.action == Action::kReplace) return replace(place, command, phase, out);
  Command order = command;
  if (order.kind == OrderKind::kMarket && order.price > 0) order.kind = OrderKind::kLimit;
  if (order.kind == OrderKind::kStop) order.price = 0;
  if (const Reason reason = refuse(place, order, phase); reason != Reason::NONE) {
    say(ReportKind::kRejected, order, order.quantity, 0, reason, out);
    return;
  }
  say(ReportKind::kAck, order, order.quantity, 0, Reason::NONE, out);
  start(place, order, 0, phase, out);
}

void TickVenue::start(Place& place, const Command& order, int64_t filled, Session session, TickReports& out) {
  if (is_stop(order.kind)) {
    place.stops.push_back({order, ++sequence_, filled});
    ++working_;
    if (session == Session::kContinuous) trigger(place, out);
  } else if (session == Session::kContinuous && caged(place, order) == CageAnswer::kHold) {
    place.held.push_back({order, ++sequence_, filled, kUnknownAhead});
    ++working_;
  } else if (session == Session::kContinuous && !is_auction(order.kind)) {
    enter(place, order, filled, out);
  } else {
    rest(place, order, filled);
  }
}

TickVenue::Working* TickVenue::find(Place& place, int64_t id) {
  for (std::vector<Working>* list : lists(place)) {
    for (Working& working : *list) {
      if (working.order.order_id == id) return &working;
    }
  }
  return nullptr;
}

void TickVenue::cancel(Place& place, const Command& command, Session session, TickReports& out) {
  const Working* found = find(place, command.order_id);
  if (found == nullptr) return;  // it is done already: its last report is on the way
  const Command order = found->order;
  if (session != Session::kClosed && !place.windows.empty() && !place.window().cancels) {
    say(ReportKind::kCancelRejected, order, order.quantity, 0, Reason::WRONG_PHASE, out);
    return;
  }
  say(ReportKind::kCancelled, order, order.quantity, 0, Reason::CANCEL_REQUESTED, out);
  const auto is_it = [&](const Working& w) { return w.order.order_id == command.order_id; };
  for (std::vector<Working>* list : lists(place)) std::erase_if(*list, is_it);
  --working_;
}

// The order keeps its place when only its quantity falls; otherwise it goes to the end of its queue.
void TickVenue::replace(Place& place, const Command& command, Session session, TickReports& out) {
  Working* found = find(place, command.order_id);
  if (found == nullptr) return;
  Command changed = found->order;
  const int64_t filled = found->filled;
  if (command.quantity > 0) changed.quantity = command.quantity - filled;
  if (command.price > 0) changed.price = command.price;
  if (command.stop > 0) changed.stop = command.stop;
  changed.protect = command.protect;
  Reason reason = refuse(place, changed, session);
  if (reason == Reason::NONE && !place.windows.empty() && !place.window().cancels)
    reason = Reason::WRONG_PHASE;
  if (reason != Reason::NONE) {
    say(ReportKind::kReplaceRejected, found->order, found->order.quantity, 0, reason, out);
    return;
  }
  say(ReportKind::kReplaced, changed, changed.quantity, changed.price, Reason::NONE, out);
  const bool stays = changed.price == found->order.price && changed.stop == found->order.stop &&
                     changed.quantity <= found->order.quantity;
  if (stays) {
    found->order = changed;
    return;
  }
  const auto is_it = [&](const Working& w) { return w.order.order_id == command.order_id; };
  for (std::vector<Working>* list : lists(place)) std::erase_if(*list, is_it);
  --working_;
  start(place, changed, filled, session, out);
}

// Moves the instrument's clock; the first window of a new day ends the orders of the day before.
Session TickVenue::session(Place& place, int64_t ts, TickReports& out) {
  if (place.windows.empty()) return Session::kContinuous;
  const std::vector<Window>& windows = place.windows;
  for (size_t& k = place.entered; k < windows.size() && ts >= windows[k].begin; ++k) {
    if (k > 0 && windows[k].day != windows[k - 1].day) expire_day(place, windows[k - 1].end, out);
    if (auctions(windows[k].kind)) place.auction = windows[k].kind;
  }
  if (place.entered == 0 || ts >= place.window().end) return Session::kClosed;
  return place.window().kind;
}

void TickVenue::apply(Place& place, const Tick& tick, TickReports& out) {
  if (tick.ts < now_) misuse("venue.time", "rows must come in the order of their time");
  arrive_before(tick.ts, false, out);
  now_ = tick.ts;
  const Session phase = session(place, tick.ts, out);
  const Level before[2] = {place.touch[0], place.touch[1]};
  if (place.auction != Session::kClosed && !auctions(phase) &&
      (tick.volume > 0 || phase == Session::kContinuous)) {
    resolve_auction(place, tick.last, tick.volume, out);
    if (tick.volume > 0) place.last = tick.last;
  } else if (tick.volume > 0 && phase == Session::kContinuous) {
    const bool lifted = before[1].price > 0 && tick.last >= before[1].price;
    const bool hit = before[0].price > 0 && tick.last <= before[0].price;
    print(place, tick.last, tick.volume, static_cast<int8_t>(lifted == hit ? 0 : lifted ? kBuy : kSell), out);
  }
  const int64_t prices[2] = {tick.bid, tick.ask}, sizes[2] = {tick.bid_size, tick.ask_size};
  for (int s = 0; s < 2; ++s) {
    Level& touch = place.touch[s];
    if (touch.price != prices[s] || touch.size != sizes[s]) touch = {prices[s], sizes[s], 0};
  }
  if (phase == Session::kContinuous) {
    requeue_touch(place, kBuy, before[0]);
    requeue_touch(place, kSell, before[1]);
    release_held(place, out);
    cross(place, out);
    trigger(place, out);
  }
  arrive_before(tick.ts, true, out);
}

void TickVenue::on_depth(const DepthEvent& event, TickReports& out) {
  Place& place = at(event.instrument);
  if (event.ts < now_) misuse("venue.time", "rows must come in the order of their time");
  arrive_before(event.ts, false, out);
  now_ = event.ts;
  place.deep = true;
  const Session phase = session(place, event.ts, out);
  if (event.kind == DepthKind::kTrade) {
    if (place.auction != Session::kClosed && !auctions(phase)) {
      resolve_auction(place, event.price, event.size, out);
      place.last = event.price;
    } else if (phase == Session::kContinuous) {
      print(place, event.price, event.size, event.side, out);
      trigger(place, out);
    }
  } else if (event.kind == DepthKind::kLevel) {
    if (event.side != kBuy && event.side != kSell) misuse("venue.depth", "a level needs a side");
    set_level(place, event.side, event.price, event.size);
    if (phase == Session::kContinuous) {
      release_held(place, out);
      cross(place, out);
    }
  } else {
    place.depth[0].clear();
    place.depth[1].clear();
    place.touch[0] = place.touch[1] = {};
  }
  arrive_before(event.ts, true, out);
}

void TickVenue::expire_day(Place& place, int64_t ts, TickReports& out) {
  const int64_t present = std::exchange(now_, std::min(now_, ts));
  std::vector<Working> kept;
  for (std::vector<Working>* list : lists(place)) {
    kept.clear();
    for (Working& working : *list) {
      const bool stays = working.order.tif == Tif::kGtc && !is_auction(working.order.kind);
      if (stays) {
        say(ReportKind::kCarried, working.order, working.order.quantity, working.order.price, Reason::NONE,
            out);
        working.ahead = kUnknownAhead;
        working.traded = 0;
        kept.push_back(working);
        continue;
      }
      say(ReportKind::kExpired, working.order, working.order.quantity, 0, Reason::DAY_END, out);
      --working_;
    }
    list->swap(kept);
  }
  place.auction = Session::kClosed;
  now_ = present;
}

void TickVenue::end_day(int64_t ts, TickReports& out) {
  arrive_before(ts, true, out);
  move_to(ts);
  for (Place& place : places_) expire_day(place, ts, out);
}

void TickVenue::say(ReportKind kind, const Command& order, int64_t quantity, int64_t price, Reason reason,
                    TickReports& out) {
  out.push_back({now_,
                 add(now_, rule_.answer_latency),
                 order.instrument,
                 {order.order_id, kind, quantity, price, reason}});
}

int64_t TickVenue::quantity_ahead(int64_t id, int32_t instrument) const {
  for (const Working& working : at(instrument).resting) {
    if (working.order.order_id == id) return working.ahead;
  }
  return -1;
}

int64_t TickVenue::open_quantity(int64_t id, int32_t instrument) const {
  const Working* found = find(const_cast<TickVenue*>(this)->at(instrument), id);
  return found == nullptr ? 0 : found->order.quantity;
}

}  // namespace quant
