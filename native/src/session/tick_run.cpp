#include "quant/session/tick_run.hpp"

#include <algorithm>
#include <limits>

namespace quant {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

TickLoop::TickLoop(Kernel& kernel, TickVenue& venue, const Ticks& ticks, const TickPlan& plan)
    : kernel_(kernel), venue_(venue), ticks_(ticks), plan_(plan) {
  const int32_t instruments = kernel.market().S;
  if (venue.instruments() != instruments)
    throw Failure(FailureKind::kUsage, "ticks.instruments", "kernel and venue have different instruments");
  if (plan.quantity < 1 || plan.feed_latency < 0)
    throw Failure(FailureKind::kUsage, "ticks.plan", "quantity must be positive, latency not negative");
  for (size_t k = 0; k < ticks.N; ++k) {
    const bool named =
        ticks.instrument == nullptr || (ticks.instrument[k] >= 0 && ticks.instrument[k] < instruments);
    const bool sized = ticks.bid_size[k] >= 0 && ticks.ask_size[k] >= 0 && ticks.bid_size[k] < INT32_MAX &&
                       ticks.ask_size[k] < INT32_MAX;
    if (!named || !sized)
      throw Failure(
          FailureKind::kUsage, "ticks.row",
          "row " + std::to_string(k) + " names another market's instrument or has an impossible size");
  }
  names_.resize(static_cast<size_t>(instruments));
}

Position TickLoop::holding(int32_t instrument) const {
  const Position* position = kernel_.ledger().find(instrument);
  return position == nullptr ? Position{} : *position;
}

void TickLoop::begin(int32_t d) {
  for (const Phase phase : {Phase::kPreopen, Phase::kOpen}) {
    kernel_.on_slice(d, phase, commands_);
    if (!commands_.empty())
      throw Failure(FailureKind::kUsage, "ticks.pending", "orders of an earlier run are still pending");
  }
}

void TickLoop::end(int32_t d, int64_t ts) {
  venue_.end_day(ts, reports_);
  answer();
  kernel_.on_slice(d, Phase::kClose, commands_);
}

void TickLoop::want(int32_t instrument, int8_t side, int64_t quantity, int64_t price, Tif tif) {
  Intent& intent = intents_.emplace_back();
  intent.instrument = instrument;
  intent.kind = IntentKind::kOrder;
  intent.order_kind = OrderKind::kLimit;
  intent.side = side;
  intent.quantity = quantity;
  intent.price = price;
  intent.tif = tif;
}

void TickLoop::drop(int64_t order_id, int32_t instrument) {
  Intent& intent = intents_.emplace_back();
  intent.instrument = instrument;
  intent.kind = IntentKind::kCancel;
  intent.order_id = order_id;
}

void TickLoop::lean_on(size_t row, int64_t now, bool buys) {
  const int32_t instrument = ticks_.instrument == nullptr ? 0 : ticks_.instrument[row];
  const Position position = holding(instrument);
  const int64_t held = position.quantity;
  if (position.open_buy > 0 || position.open_sell > 0) return;
  if (buys ? held > 0 || ticks_.ask[row] <= 0 : held == 0 || ticks_.bid[row] <= 0) return;
  if (buys)
    want(instrument, kBuy, plan_.quantity, ticks_.ask[row], Tif::kIoc);
  else
    want(instrument, kSell, std::min(plan_.quantity, held), ticks_.bid[row], Tif::kIoc);
  send(now);
}

void TickLoop::quote(size_t row, int64_t now) {
  const int32_t instrument = ticks_.instrument == nullptr ? 0 : ticks_.instrument[row];
  Name& name = names_[static_cast<size_t>(instrument)];
  const int64_t bid = ticks_.bid[row] > 0 ? ticks_.bid[row] - plan_.edge : 0;
  const int64_t ask = ticks_.ask[row] > 0 ? ticks_.ask[row] + plan_.edge : 0;
  if (name.bid_order != 0 && name.bid_price != bid && !name.bid_leaves) {
    drop(name.bid_order, instrument);
    name.bid_leaves = true;
  }
  if (name.ask_order != 0 && name.ask_price != ask && !name.ask_leaves) {
    drop(name.ask_order, instrument);
    name.ask_leaves = true;
  }
  const Position position = holding(instrument);
  const int64_t held = position.quantity;
  if (position.open_buy == 0 && bid > 0 && held + plan_.quantity <= plan_.most)
    want(instrument, kBuy, plan_.quantity, bid, Tif::kDay);
  if (position.open_sell == 0 && ask > 0 && held > 0)
    want(instrument, kSell, std::min(plan_.quantity, held), ask, Tif::kDay);
  if (!intents_.empty()) send(now);
}

void TickLoop::send(int64_t now) {
  ++decisions_;
  kernel_.on_intents(intents_, commands_);
  intents_.clear();
  submit(now);
  if (plan_.feed_latency == 0 && venue_.next_arrival() <= now) {
    venue_.advance(now, reports_);
    answer();
  }
}

void TickLoop::submit(int64_t now) {
  now_ = now;
  for (const Command& command : commands_) {
    if (command.action == Action::kNew && plan_.method == TickMethod::kQuote) {
      Name& name = names_[static_cast<size_t>(command.instrument)];
      (command.side == kBuy ? name.bid_order : name.ask_order) = command.order_id;
      (command.side == kBuy ? name.bid_price : name.ask_price) = command.price;
    }
    venue_.submit(command, now);
  }
  commands_.clear();
}

// The kernel learns what the exchange said, until nothing new follows from it at this instant.
void TickLoop::answer() {
  while (!reports_.empty()) {
    known_.clear();
    int64_t ts = now_;
    for (const TickReport& report : reports_) {
      known_.push_back(report.report);
      ts = std::max(ts, report.due);
    }
    reports_.clear();
    kernel_.on_reports(known_, commands_);
    learn(known_);
    if (commands_.empty()) continue;
    submit(std::max(ts, venue_.now()));
    if (venue_.next_arrival() <= venue_.now()) venue_.advance(venue_.now(), reports_);
  }
}

void TickLoop::learn(const std::vector<Report>& reports) {
  if (plan_.method != TickMethod::kQuote) return;
  for (const Report& report : reports) {
    const Order& order = kernel_.orders()[static_cast<size_t>(report.order_id - 1)];
    Name& name = names_[static_cast<size_t>(order.instrument)];
    const bool bid = name.bid_order == order.id;
    if (report.kind == ReportKind::kCancelRejected) (bid ? name.bid_leaves : name.ask_leaves) = false;
    if (!is_final(order.state)) continue;
    if (bid) {
      name.bid_order = 0;
      name.bid_leaves = false;
    } else if (name.ask_order == order.id) {
      name.ask_order = 0;
      name.ask_leaves = false;
    }
  }
}

// With latencies the exchange, our orders' arrivals, its answers and the strategy's view each have their own
// time; at one instant they come in this order.
void TickLoop::merged(size_t first, size_t last) {
  size_t shown = first, seen = first;
  TickReports waiting;  // by due: the exchange speaks in the order of time and answers all take equally long
  size_t heard = 0;
  while (shown < last || seen < last || heard < waiting.size()) {
    const int64_t row = shown < last ? ticks_.ts[shown] : kNever;
    const int64_t view = seen < last ? ticks_.ts[seen] + plan_.feed_latency : kNever;
    const int64_t due = heard < waiting.size() ? waiting[heard].due : kNever;
    const int64_t arrival = venue_.next_arrival();
    const int64_t next = std::min({row, view, due, arrival});
    if (row == next) {
      venue_.on_tick(tick_at(shown++), waiting);
    } else if (arrival == next) {
      venue_.advance(arrival, waiting);
    } else if (due == next) {
      known_.assign(1, waiting[heard++].report);
      if (heard == waiting.size()) {
        waiting.clear();
        heard = 0;
      }
      kernel_.on_reports(known_, commands_);
      learn(known_);
      submit(next);
    } else {
      decide(seen++, next);
    }
  }
}

void TickLoop::session(int32_t d, size_t first, size_t last) {
  begin(d);
  if (plan_.feed_latency == 0 && venue_.latencies() == 0) {
    for (size_t row = first; row < last; ++row) step(row);
  } else {
    merged(first, last);
  }
  const int64_t until = first < last ? ticks_.ts[last - 1] + plan_.feed_latency + venue_.latencies() : 0;
  end(d, std::max({venue_.now(), until, venue_.idle() ? until : venue_.last_arrival()}));
}

void run_ticks(Kernel& kernel, TickVenue& venue, const Ticks& ticks, const TickPlan& plan,
               const std::vector<int64_t>& bounds) {
  TickLoop loop(kernel, venue, ticks, plan);
  if (bounds.size() != static_cast<size_t>(kernel.market().D) + 1 || bounds.front() != 0 ||
      bounds.back() != static_cast<int64_t>(ticks.N) || !std::is_sorted(bounds.begin(), bounds.end()))
    throw Failure(FailureKind::kUsage, "ticks.bounds",
                  "bounds must part all rows among the market's sessions");
  for (size_t d = 0; d + 1 < bounds.size(); ++d)
    loop.session(static_cast<int32_t>(d), static_cast<size_t>(bounds[d]), static_cast<size_t>(bounds[d + 1]));
}

}  // namespace quant
