#pragma once
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "quant/market/messages.hpp"

namespace quant::book {

struct Order {
  int64_t id = 0;  // chosen by the caller, unique among the orders that are open
  int8_t side = 0;
  OrderKind kind = OrderKind::kLimit;
  Tif tif = Tif::kDay;
  int64_t price = 0;
  int64_t stop = 0;
  int64_t quantity = 0;
};

enum class EventKind : uint8_t {
  kAccepted = 0,   // quantity now resting (or, for a stop, waiting for its trigger)
  kTriggered = 1,  // a stop became a live order
  kTrade = 2,      // id took from other; in an auction id buys from other
  kCancelled = 3,
  kExpired = 4,
  kRejected = 5,
};

struct Event {
  EventKind kind = EventKind::kAccepted;
  int64_t id = 0;
  int64_t other = 0;
  int64_t price = 0;
  int64_t quantity = 0;
  Reason reason = Reason::NONE;
};
using Events = std::vector<Event>;

struct Level {
  int64_t price = 0;
  int64_t quantity = 0;
  int32_t orders = 0;
  int32_t head = -1, tail = -1;  // nodes, oldest first
};

// Of several prices with the largest volume and the smallest imbalance: the one nearest to the reference (a
// tie goes to the higher), or the middle of the lowest and the highest order price among them, rounded half
// up to the tick.
enum class TieBreak : uint8_t { kReference = 0, kMiddle = 1 };

struct AuctionRule {
  TieBreak tie = TieBreak::kReference;
  int64_t reference = 0;      // last close or last trade, 0 = none
  int64_t low = 0, high = 0;  // price limits, 0 = none
};

struct AuctionPrice {
  int64_t price = 0;  // 0 = nothing trades
  int64_t volume = 0;
  int64_t buys = 0, sells = 0;  // that would trade at this price
};

// The order book of one instrument: price, then time. Prices and sizes are integers; every price is a
// multiple of the tick. In the auction phase orders gather and nothing trades until `uncross`.
class OrderBook {
 public:
  explicit OrderBook(int64_t tick);

  void add(const Order& order, Events& out);
  // Takes an order out; false if it is not open.
  bool cancel(int64_t id, Events& out);
  // New price and open quantity. The order keeps its place when only its quantity falls; otherwise it enters
  // anew and may trade.
  bool replace(int64_t id, int64_t price, int64_t quantity, Events& out);

  void begin_auction() { auction_ = true; }
  AuctionPrice indicative(const AuctionRule& rule) const;
  // Trades at the auction price, expires what only the auction was for, and goes on continuously.
  AuctionPrice uncross(const AuctionRule& rule, Events& out);
  // The end of a session: everything but GTC orders expires.
  void end_day(Events& out);

  bool in_auction() const { return auction_; }
  int64_t last() const { return last_; }
  const std::vector<Level>& levels(int8_t side) const { return sides_[side == kBuy ? 0 : 1]; }  // best last
  int64_t best(int8_t side) const { return levels(side).empty() ? 0 : levels(side).back().price; }
  int64_t open_quantity(int64_t id) const;   // 0 if not open
  int64_t quantity_ahead(int64_t id) const;  // of the same price and older, -1 if not resting
  // Whether levels, lists and counters agree (for tests; walks the whole book).
  bool sound() const;

 private:
  struct Node {
    Order order;  // quantity is what is open
    uint64_t sequence = 0;
    int32_t previous = -1, next = -1;
    bool waits = false;  // a stop before its trigger
  };
  struct Queue {
    int32_t head = -1, tail = -1;
  };

  std::vector<Level>& side_of(int8_t side) { return sides_[side == kBuy ? 0 : 1]; }
  Level& level_at(int8_t side, int64_t price);
  Level* find_level(int8_t side, int64_t price);
  int32_t take_node(const Order& order);
  void drop_node(int32_t node);
  template <class List>
  void link(List& list, int32_t node);
  template <class List>
  void unlink(List& list, int32_t node);
  void rest(const Order& order, Events& out);
  void remove(int32_t node);
  void reduce(int32_t node, int64_t quantity);
  Reason refuse(const Order& order) const;
  int64_t reachable(const Order& order) const;
  int64_t match(Order& order, Events& out);
  void enter(Order order, Events& out);
  void trigger(Events& out);
  int32_t first_in_auction(int8_t side, int64_t price) const;

  int64_t tick_;
  bool auction_ = false;
  int64_t last_ = 0;
  uint64_t sequence_ = 0;
  std::vector<Level> sides_[2];  // buys ascending, sells descending: the best is at the back
  Queue market_[2];              // market orders of the auction
  int64_t market_quantity_[2] = {0, 0};
  std::vector<Node> nodes_;
  std::vector<int32_t> free_;
  std::vector<int32_t> stops_;  // oldest first
  std::unordered_map<int64_t, int32_t> where_;
};

}  // namespace quant::book
