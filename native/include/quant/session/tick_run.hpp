#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "quant/kernel/kernel.hpp"
#include "quant/sim/tick_venue.hpp"

// The fused run over ticks: strategy, kernel (gates, orders, ledger) and exchange in one loop, event by
// event.
namespace quant {

enum class TickMethod : uint8_t {
  // Long while the book leans to the bid: buys at the ask when bid size / (bid + ask size) > enter and
  // nothing
  // is held, sells at the bid when it is < leave. Immediate-or-cancel limit orders at the touch.
  kImbalance = 0,
  // Quotes both sides at the touch, `edge` price units away from it; never buys beyond `most`, never sells
  // what is not held. A quote that the touch has left is cancelled and made anew.
  kQuote = 1,
};

struct TickPlan {
  TickMethod method = TickMethod::kImbalance;
  int64_t quantity = 1;
  int64_t enter = 0, leave = 0;  // kImbalance, at kRateScale
  int64_t edge = 0, most = 0;    // kQuote
  int64_t feed_latency = 0;      // ns from the exchange to the strategy
};

// One instrument's strategy state; orders are known by their reports.
class TickLoop {
 public:
  TickLoop(Kernel& kernel, TickVenue& venue, const Ticks& ticks, const TickPlan& plan);

  // Session row d of the kernel's market holds the rows first..last (exclusive) of the recording.
  void session(int32_t d, size_t first, size_t last);
  void begin(int32_t d);
  // One row: the exchange meets it, the strategy sees it, what follows within the instant is settled. Only
  // without latencies, where both see a row at one instant.
  void step(size_t row) {
    venue_.on_tick(tick_at(row), reports_);
    if (!reports_.empty()) answer();
    decide(row, ticks_.ts[row]);
  }
  void end(int32_t d, int64_t ts);

  int64_t decisions() const { return decisions_; }

 private:
  struct Name {
    int64_t bid_order = 0, ask_order = 0;  // open quotes, 0 = none
    int64_t bid_price = 0, ask_price = 0;
    bool bid_leaves = false, ask_leaves = false;  // a cancel is on its way
  };

  Tick tick_at(size_t row) const {
    Tick tick{ticks_.ts[row],       ticks_.instrument == nullptr ? 0 : ticks_.instrument[row],
              ticks_.bid[row],      ticks_.ask[row],
              ticks_.bid_size[row], ticks_.ask_size[row]};
    if (ticks_.volume != nullptr) {
      tick.last = ticks_.last[row];
      tick.volume = ticks_.volume[row];
    }
    return tick;
  }
  void decide(size_t row, int64_t now) {
    if (plan_.method == TickMethod::kImbalance) {
      const int64_t bid = ticks_.bid_size[row], ask = ticks_.ask_size[row];
      const int64_t lean = bid * kRateScale, both = bid + ask;
      if (lean > plan_.enter * both || lean < plan_.leave * both)
        lean_on(row, now, lean > plan_.enter * both);
      return;
    }
    quote(row, now);
  }
  void lean_on(size_t row, int64_t now, bool buys);
  void quote(size_t row, int64_t now);
  void want(int32_t instrument, int8_t side, int64_t quantity, int64_t price, Tif tif);
  void drop(int64_t order_id, int32_t instrument);
  void send(int64_t now);
  void submit(int64_t now);
  void answer();
  void learn(const std::vector<Report>& reports);
  void merged(size_t first, size_t last);
  Position holding(int32_t instrument) const;

  Kernel& kernel_;
  TickVenue& venue_;
  const Ticks& ticks_;
  TickPlan plan_;
  std::vector<Name> names_;
  TickReports reports_;  // of the exchange, not yet with the kernel
  std::vector<Intent> intents_;
  Commands commands_;
  std::vector<Report> known_;
  int64_t now_ = 0;
  int64_t decisions_ = 0;
};

// All sessions first..: bounds [D + 1] are their rows in the recording.
void run_ticks(Kernel& kernel, TickVenue& venue, const Ticks& ticks, const TickPlan& plan,
               const std::vector<int64_t>& bounds);

}  // namespace quant
