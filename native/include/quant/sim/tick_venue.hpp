#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "quant/market/messages.hpp"
#include "quant/market/rulebook_prices.hpp"
#include "quant/sim/queue.hpp"

namespace quant {

// L1 rows in exchange time, ascending; prices at the instrument's scale, 0 = none. `volume` is what traded at
// `last` since the instrument's row before. Null columns: one instrument, no trades.
struct Ticks {
  size_t N = 0;
  const int64_t* ts = nullptr;
  const int32_t* instrument = nullptr;
  const int64_t *bid = nullptr, *ask = nullptr, *bid_size = nullptr, *ask_size = nullptr;
  const int64_t *last = nullptr, *volume = nullptr;
};

struct Tick {
  int64_t ts = 0;
  int32_t instrument = 0;
  int64_t bid = 0, ask = 0, bid_size = 0, ask_size = 0, last = 0, volume = 0;
};

enum class DepthKind : uint8_t {
  kTrade = 0,  // side is the aggressor's, 0 = unknown
  kLevel = 1,  // the level of that side and price now shows this size
  kClear = 2,  // both sides are empty: a snapshot follows
};

struct DepthEvent {
  int64_t ts = 0;
  int32_t instrument = 0;
  DepthKind kind = DepthKind::kLevel;
  int8_t side = 0;
  int64_t price = 0, size = 0;
};

// How far a taker reaches beyond the size shown at the touch of an L1 quote.
enum class Sweep : uint8_t {
  kTouch = 0,      // all of it trades at the touch
  kDisplayed = 1,  // what is shown trades; the rest of a market order works on, that of a limit order rests
};

struct TickRule {
  QueueRule queue;
  Sweep sweep = Sweep::kDisplayed;
  int64_t entry_latency = 0;   // ns from sending to the matching engine
  int64_t answer_latency = 0;  // ns from the matching engine back
  int64_t participation = -1;  // share of each print and of each displayed size at kRateScale, -1 = all
  int64_t slippage = 0;        // price units against every taker
  int64_t tick = 1;
};

enum class Session : uint8_t { kClosed = 0, kContinuous = 1, kOpenAuction = 2, kCloseAuction = 3 };

// From begin (inclusive) to end (exclusive), ns; ascending, never overlapping.
struct Window {
  int64_t begin = 0, end = 0;
  Session kind = Session::kContinuous;
  bool cancels = true;
  int32_t day = 0;
};

struct TickReport {
  int64_t ts = 0;   // at the exchange
  int64_t due = 0;  // when the sender knows
  int32_t instrument = 0;
  Report report;
};
using TickReports = std::vector<TickReport>;

// The simulated exchange over recorded ticks. Our orders meet what was recorded and change none of it: a
// taker trades against displayed sizes, a resting order against the prints and quotes that come after it has
// arrived. Time is the exchange's and never goes back.
class TickVenue {
 public:
  TickVenue(int32_t instruments, const TickRule& rule);

  // Trading hours of an instrument; without any it always trades continuously.
  void set_windows(int32_t instrument, std::vector<Window> windows);
  void set_limits(int32_t instrument, int64_t down, int64_t up);  // 0 = none
  // The valid range of limit orders in continuous trading; what is beyond it is refused, or held off the book
  // until the quote has come near enough.
  void set_cage(int32_t instrument, const CageRule& rule, int64_t prev_close);

  // New orders, cancels and replaces; each reaches the exchange after the entry latency.
  void submit(const Command& command, int64_t sent);

  // What arrives before the row meets the quote before it; the row; what arrives at its very instant.
  void on_tick(const Tick& tick, TickReports& out) {
    Place& place = places_[static_cast<size_t>(tick.instrument)];
    if (quiet(place, tick.ts)) {  // nothing of ours is anywhere
      now_ = tick.ts;
      show(place, tick);
      return;
    }
    apply(place, tick, out);
  }
  void on_depth(const DepthEvent& event, TickReports& out);
  // Lets arrive what is due by ts, at the quotes as they stand.
  void advance(int64_t ts, TickReports& out);
  // Expires day orders and what an auction left; good-till-cancelled orders stay, their place is unknown.
  void end_day(int64_t ts, TickReports& out);

  int64_t now() const { return now_; }
  int32_t instruments() const { return static_cast<int32_t>(places_.size()); }
  bool idle() const { return arriving_.empty() && working_ == 0; }
  int64_t latencies() const { return rule_.entry_latency + rule_.answer_latency; }
  int64_t last_arrival() const { return arriving_.empty() ? now_ : arriving_.back().arrives; }
  int64_t next_arrival() const { return arriving_.empty() ? kUnknownAhead : arriving_.front().arrives; }
  // Quantity ahead of a resting order, kUnknownAhead where it cannot be known, -1 if it does not rest.
  int64_t quantity_ahead(int64_t id, int32_t instrument) const;
  int64_t open_quantity(int64_t id, int32_t instrument) const;

 private:
  struct Level {
    int64_t price = 0, size = 0, taken = 0;  // taken by our own orders since the level changed
  };
  struct Working {
    Command order;  // quantity is what is open
    uint64_t sequence = 0;
    int64_t filled = 0;
    int64_t ahead = 0;
    int64_t traded = 0;  // at our price since the level was last shown
  };
  struct Arrival {
    int64_t arrives = 0;
    uint64_t sequence = 0;
    Command command;
  };
  struct Place {
    Level touch[2];               // bid, ask
    std::vector<Level> depth[2];  // L2 only; best at the back
    bool deep = false;
    int64_t last = 0;
    int64_t down = 0, up = 0;
    std::vector<Working> resting;  // best price first within a side, then oldest; market orders first
    std::vector<Working> stops;
    std::vector<Working> held;  // beyond the cage
    CageRule cage;
    int64_t prev_close = 0;
    std::vector<Window> windows;
    size_t entered = 0;                  // windows that have begun
    Session auction = Session::kClosed;  // one that has begun and whose price is not known yet
    const Window& window() const { return windows[entered - 1]; }
  };

  bool quiet(const Place& place, int64_t ts) const {
    return arriving_.empty() && place.resting.empty() && place.stops.empty() && place.held.empty() &&
           ts >= now_ && place.windows.empty() && !place.deep;
  }
  static void show(Place& place, const Tick& tick) {
    place.touch[0] = {tick.bid, tick.bid_size, 0};
    place.touch[1] = {tick.ask, tick.ask_size, 0};
    if (tick.volume > 0) place.last = tick.last;
  }

  // tick_venue.cpp: time, sessions, arrivals
  void move_to(int64_t ts);
  Place& at(int32_t instrument);
  const Place& at(int32_t instrument) const;
  void apply(Place& place, const Tick& tick, TickReports& out);
  void arrive_before(int64_t ts, bool inclusive, TickReports& out);
  void arrive(const Arrival& arrival, TickReports& out);
  void cancel(Place& place, const Command& command, Session session, TickReports& out);
  void replace(Place& place, const Command& command, Session session, TickReports& out);
  CageAnswer caged(const Place& place, const Command& order) const;
  void release_held(Place& place, TickReports& out);
  static std::array<std::vector<Working>*, 3> lists(Place& place) {
    return {&place.resting, &place.stops, &place.held};
  }
  static Working* find(Place& place, int64_t id);
  void start(Place& place, const Command& order, int64_t filled, Session session, TickReports& out);
  Session session(Place& place, int64_t ts, TickReports& out);
  void expire_day(Place& place, int64_t ts, TickReports& out);
  Reason refuse(const Place& place, const Command& order, Session session) const;
  void say(ReportKind kind, const Command& order, int64_t quantity, int64_t price, Reason reason,
           TickReports& out);

  // tick_match.cpp: who trades with what
  int64_t room(const Level& level) const;
  bool inside(const Place& place, int64_t price) const;
  int64_t reachable(const Place& place, const Command& order) const;
  void take(Place& place, Command& order, TickReports& out);
  bool take_level(Place& place, Command& order, Level& level, TickReports& out);
  int64_t taker_price(const Place& place, const Command& order, int64_t price) const;
  void enter(Place& place, Command order, int64_t filled, TickReports& out);
  void rest(Place& place, const Command& order, int64_t filled);
  int64_t place_in_queue(const Place& place, const Command& order) const;
  void print(Place& place, int64_t price, int64_t volume, int8_t aggressor, TickReports& out);
  void fill(Working& working, int64_t quantity, int64_t price, TickReports& out);
  void requeue(Place& place, int8_t side, int64_t price, int64_t before, int64_t after);
  void requeue_touch(Place& place, int8_t side, const Level& before);
  void cross(Place& place, TickReports& out);
  void drop_filled(Place& place);
  int64_t share(int64_t size) const;
  void trigger(Place& place, TickReports& out);
  void resolve_auction(Place& place, int64_t price, int64_t volume, TickReports& out);
  void set_level(Place& place, int8_t side, int64_t price, int64_t size);

  TickRule rule_;
  int64_t now_ = std::numeric_limits<int64_t>::min();
  uint64_t sequence_ = 0;
  int64_t working_ = 0;
  std::vector<Place> places_;
  std::vector<Arrival> arriving_;  // by instant, then as sent
};

}  // namespace quant
