#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "check.hpp"
#include "quant/book/order_book.hpp"
#include "quant/sim/tick_venue.hpp"

using namespace quant;

namespace {

class Draw {
 public:
  explicit Draw(uint32_t seed) : engine_(seed) {}
  int64_t operator()(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  int8_t side() { return (*this)(0, 1) == 0 ? kBuy : kSell; }

 private:
  std::mt19937_64 engine_;
};

book::Order random_order(Draw& draw, int64_t id) {
  return {id,
          draw.side(),
          static_cast<OrderKind>(draw(0, 5)),
          static_cast<Tif>(draw(0, 3)),
          draw(95, 105),
          draw(95, 105),
          draw(1, 50)};
}

Command random_command(Draw& draw, int64_t id) {
  Command command;
  command.order_id = id;
  command.side = draw.side();
  command.quantity = draw(1, 50);
  command.kind = static_cast<OrderKind>(draw(0, 3));
  command.tif = static_cast<Tif>(draw(0, 3));
  command.price = command.kind == OrderKind::kMarket ? 0 : draw(95, 105);
  command.stop = is_stop(command.kind) ? draw(95, 105) : 0;
  return command;
}

}  // namespace

TEST(a_random_book_stays_sound_and_conserves_quantity) {
  Draw draw(11);
  book::OrderBook order_book(1);
  std::map<int64_t, int64_t> open;
  for (int64_t step = 1; step <= 30'000; ++step) {
    book::Events events;
    const int64_t action = draw(0, 99);
    if (action < 70) {
      const book::Order order = random_order(draw, step);
      open[step] = order.quantity;
      order_book.add(order, events);
    } else if (action < 92) {
      order_book.cancel(draw(std::max<int64_t>(step - 80, 1), step), events);
    } else if (action < 94 && !order_book.in_auction()) {
      order_book.begin_auction();
    } else if (action < 98 && order_book.in_auction()) {
      const auto tie = static_cast<book::TieBreak>(draw(0, 1));
      order_book.uncross({tie, draw(95, 105), 0, 0}, events);
    } else if (action == 99) {
      order_book.end_day(events);
    }
    for (const book::Event& event : events) {
      if (event.kind == book::EventKind::kAccepted || event.kind == book::EventKind::kTriggered) continue;
      CHECK(event.quantity > 0);
      open[event.id] -= event.quantity;
      if (event.kind == book::EventKind::kTrade) open[event.other] -= event.quantity;
      CHECK(open[event.id] >= 0);
    }
    for (const book::Event& event : events) CHECK_EQ(open[event.id], order_book.open_quantity(event.id));
    if (step % 500 == 0) CHECK(order_book.sound());
  }
}

TEST(a_random_tick_session_never_fills_more_than_was_sent) {
  for (uint32_t seed = 1; seed <= 8; ++seed) {
    Draw draw(seed);
    TickRule rule;
    rule.queue = {static_cast<QueueModel>(seed % 4), 1 + static_cast<int32_t>(seed % 4)};
    rule.entry_latency = seed % 3 == 0 ? 5 : 0;
    rule.participation = seed % 2 == 0 ? kRateScale / 3 : -1;
    TickVenue venue(2, rule);
    venue.set_cage(1, {Beyond::kHold, 1'020'000'000, 980'000'000, 1, 1}, 100);
    std::map<int64_t, int64_t> open;
    TickReports reports;
    int64_t ts = 0, last_id = 0;
    for (int step = 0; step < 5'000; ++step) {
      ts += draw(0, 3);
      const auto instrument = static_cast<int32_t>(draw(0, 1));
      const int64_t bid = draw(97, 102), volume = draw(0, 20);
      if (instrument == 0 || seed < 5) {
        venue.on_tick({ts, instrument, bid, bid + draw(1, 2), draw(1, 30), draw(1, 30), bid, volume},
                      reports);
      } else {
        const auto kind = static_cast<DepthKind>(draw(0, 20) == 0 ? 2 : draw(0, 1));
        const int8_t side = draw.side();
        const int64_t price = side == kBuy ? draw(94, 99) : draw(100, 105);
        venue.on_depth({ts, instrument, kind, side, price, draw(0, 30)}, reports);
      }
      for (int64_t more = draw(0, 1); more > 0; --more) {
        Command command = random_command(draw, ++last_id);
        command.instrument = instrument;
        open[last_id] = command.quantity;
        venue.submit(command, ts);
      }
      if (last_id > 0 && draw(0, 3) == 0) {
        Command change;
        change.action = draw(0, 1) == 0 ? Action::kCancel : Action::kReplace;
        change.order_id = draw(std::max<int64_t>(last_id - 20, 1), last_id);
        change.instrument = instrument;
        change.side = kBuy;
        change.quantity = draw(0, 50);
        venue.submit(change, ts);
      }
      for (const TickReport& said : reports) {
        int64_t& left = open[said.report.order_id];
        if (said.report.kind == ReportKind::kReplaced) left = said.report.quantity;
        const bool takes =
            said.report.kind == ReportKind::kFill || said.report.kind == ReportKind::kExpired ||
            said.report.kind == ReportKind::kCancelled || said.report.kind == ReportKind::kRejected;
        if (takes) left -= said.report.quantity;
        CHECK(left >= 0);
      }
      reports.clear();
    }
    venue.end_day(ts + 10, reports);
  }
}

TEST(estimates_of_a_queue_stay_between_none_and_all) {
  Draw draw(3);
  for (int k = 0; k < 20'000; ++k) {
    const int64_t total = draw(1, int64_t{1} << 60), ahead = draw(0, total), gone = draw(0, total);
    for (const QueueModel model : {QueueModel::kFifo, QueueModel::kPower, QueueModel::kLog}) {
      const int64_t left = ahead_after_cancels(ahead, total, gone, {model, static_cast<int32_t>(draw(1, 4))});
      CHECK(left >= 0 && left <= ahead && left <= total - gone);
    }
  }
}
