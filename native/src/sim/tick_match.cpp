#include <algorithm>

#include "quant/prim/failure.hpp"
#include "quant/prim/wide.hpp"
#include "quant/sim/tick_venue.hpp"

namespace quant {
namespace {

int index_of(int8_t side) { return side == kBuy ? 0 : 1; }
int64_t key(int8_t side, int64_t price) { return side == kBuy ? price : -price; }

// The worst price the order accepts, 0 = any.
int64_t bound(const Command& order) {
  return order.price > 0 ? order.price : order.side == kBuy ? order.protect : 0;
}

bool reaches(const Command& order, int64_t opposite) {
  const int64_t worst = bound(order);
  return opposite > 0 && (worst == 0 || order.side * (worst - opposite) >= 0);
}

}  // namespace

int64_t TickVenue::share(int64_t size) const {
  return rule_.participation < 0 ? size : mul_div(size, rule_.participation, kRateScale);
}

// What of a level our orders may still take.
int64_t TickVenue::room(const Level& level) const {
  return std::max<int64_t>(share(level.size) - level.taken, 0);
}

bool TickVenue::inside(const Place& place, int64_t price) const {
  return (place.up == 0 || price <= place.up) && (place.down == 0 || price >= place.down);
}

int64_t TickVenue::reachable(const Place& place, const Command& order) const {
  const int opposite = 1 - index_of(order.side);
  const Level& touch = place.touch[opposite];
  if (!reaches(order, touch.price) || !inside(place, touch.price)) return 0;
  if (!place.deep) return rule_.sweep == Sweep::kTouch ? order.quantity : room(touch);
  int64_t quantity = 0;
  const std::vector<Level>& levels = place.depth[opposite];
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    if (!reaches(order, level->price) || !inside(place, level->price)) break;
    quantity = add(quantity, room(*level));
    if (quantity >= order.quantity) break;
  }
  return quantity;
}

// Slippage goes against the taker, but neither beyond the order's own limit nor beyond the day's.
int64_t TickVenue::taker_price(const Place& place, const Command& order, int64_t price) const {
  int64_t worse = std::max<int64_t>(add(price, order.side * rule_.slippage), 1);
  if (const int64_t worst = bound(order); worst > 0 && order.side * (worse - worst) > 0) worse = worst;
  if (place.up > 0) worse = std::min(worse, std::max(place.up, price));
  if (place.down > 0) worse = std::max(worse, std::min(place.down, price));
  return worse;
}

bool TickVenue::take_level(Place& place, Command& order, Level& level, TickReports& out) {
  if (!reaches(order, level.price) || !inside(place, level.price)) return false;
  const bool all = !place.deep && rule_.sweep == Sweep::kTouch;
  const int64_t quantity = all ? order.quantity : std::min(order.quantity, room(level));
  if (quantity > 0) {
    level.taken = add(level.taken, quantity);
    order.quantity -= quantity;
    say(ReportKind::kFill, order, quantity, taker_price(place, order, level.price), Reason::NONE, out);
  }
  return order.quantity > 0;
}

void TickVenue::take(Place& place, Command& order, TickReports& out) {
  const int opposite = 1 - index_of(order.side);
  if (!place.deep) {
    take_level(place, order, place.touch[opposite], out);
    return;
  }
  std::vector<Level>& levels = place.depth[opposite];
  for (auto level = levels.rbegin(); level != levels.rend() && take_level(place, order, *level, out);)
    ++level;
}

void TickVenue::enter(Place& place, Command order, int64_t filled, TickReports& out) {
  const int64_t before = order.quantity;
  const bool whole = order.tif != Tif::kFok || reachable(place, order) >= order.quantity;
  if (whole) take(place, order, out);
  if (order.quantity == 0) return;
  if (order.tif == Tif::kDay || order.tif == Tif::kGtc)
    return rest(place, order, filled + before - order.quantity);
  say(ReportKind::kExpired, order, order.quantity, 0, Reason::NOT_FILLED, out);
}

int64_t TickVenue::place_in_queue(const Place& place, const Command& order) const {
  if (order.price == 0) return 0;
  const int s = index_of(order.side);
  const bool locked =
      order.price == (order.side == kBuy ? place.up : place.down) && place.touch[1 - s].price == 0;
  if (rule_.queue.model == QueueModel::kTouch && !locked) return 0;
  if (place.deep) {
    for (const Level& level : place.depth[s]) {
      if (level.price == order.price) return level.size;
    }
    return 0;
  }
  const Level& touch = place.touch[s];
  if (touch.price == order.price) return touch.size;
  return touch.price == 0 || order.side * (order.price - touch.price) > 0 ? 0 : kUnknownAhead;
}

void TickVenue::rest(Place& place, const Command& order, int64_t filled) {
  const bool gathers = place.auction != Session::kClosed || is_auction(order.kind);
  const Working working{order, ++sequence_, filled, gathers ? kUnknownAhead : place_in_queue(place, order),
                        0};
  const auto before = [](const Working& a, const Working& b) {
    if (a.order.side != b.order.side) return a.order.side > b.order.side;
    if ((a.order.price == 0) != (b.order.price == 0)) return a.order.price == 0;
    const int64_t first = key(a.order.side, a.order.price), second = key(b.order.side, b.order.price);
    return first != second ? first > second : a.sequence < b.sequence;
  };
  place.resting.insert(std::upper_bound(place.resting.begin(), place.resting.end(), working, before),
                       working);
  ++working_;
}

void TickVenue::fill(Working& working, int64_t quantity, int64_t price, TickReports& out) {
  working.order.quantity -= quantity;
  working.filled = add(working.filled, quantity);
  say(ReportKind::kFill, working.order, quantity, price, Reason::NONE, out);
}

void TickVenue::drop_filled(Place& place) {
  const auto done = [](const Working& w) { return w.order.quantity == 0; };
  working_ -= static_cast<int64_t>(std::erase_if(place.resting, done));
}

// A recorded trade: what rests at a better price would have traded first; at its price, what the queue ahead
// leaves of it.
void TickVenue::print(Place& place, int64_t price, int64_t volume, int8_t aggressor, TickReports& out) {
  place.last = price;
  if (!inside(place, price)) return;
  const bool unbounded = rule_.queue.model == QueueModel::kTouch && rule_.sweep == Sweep::kTouch;
  const int64_t cap = unbounded ? kUnknownAhead : share(volume);
  int64_t ours[2] = {0, 0};
  for (Working& working : place.resting) {
    const Command& order = working.order;
    if (order.price == 0 || is_auction(order.kind)) continue;
    const bool through = order.side * (order.price - price) > 0;
    const bool at_price = order.price == price && aggressor != order.side;
    if (!through && !at_price) continue;
    int64_t& used = ours[index_of(order.side)];
    int64_t available = std::min(cap, unbounded ? cap : volume) - used;
    if (at_price) {
      if (working.ahead == kUnknownAhead) continue;
      if (working.ahead > 0) available = std::min(available, volume - working.ahead - used);
      working.ahead = std::max<int64_t>(working.ahead - volume, 0);
      working.traded = add(working.traded, volume);
    }
    const int64_t quantity = std::min(order.quantity, available);
    if (quantity <= 0) continue;
    used = add(used, quantity);
    fill(working, quantity, order.price, out);
  }
  drop_filled(place);
}

// The level of this price went from `before` (-1: was not shown) to `after`.
void TickVenue::requeue(Place& place, int8_t side, int64_t price, int64_t before, int64_t after) {
  for (Working& working : place.resting) {
    if (working.order.side != side || working.order.price != price || is_auction(working.order.kind))
      continue;
    if (before >= 0) {
      const int64_t shown = std::max<int64_t>(before - working.traded, 0);
      working.ahead = ahead_after_cancels(working.ahead, shown, shown - after, rule_.queue);
    }
    working.ahead = std::min(working.ahead, after);
    working.traded = 0;
  }
}

// L1: only the touch is seen. What is better than it stands first; what is worse keeps its place.
void TickVenue::requeue_touch(Place& place, int8_t side, const Level& before) {
  const Level& touch = place.touch[index_of(side)];
  requeue(place, side, touch.price, before.price == touch.price ? before.size : -1, touch.size);
  for (Working& working : place.resting) {
    if (working.order.side != side || working.order.price == 0 || is_auction(working.order.kind)) continue;
    if (touch.price == 0 || side * (working.order.price - touch.price) > 0) working.ahead = 0;
  }
}

// Orders that the other side's quote has reached trade at their own price, market orders at the quote.
void TickVenue::cross(Place& place, TickReports& out) {
  for (Working& working : place.resting) {
    if (is_auction(working.order.kind)) continue;
    if (working.order.price == 0) {
      const int64_t open = working.order.quantity;
      take(place, working.order, out);
      working.filled = add(working.filled, open - working.order.quantity);
      continue;
    }
    Level& touch = place.touch[1 - index_of(working.order.side)];
    if (!reaches(working.order, touch.price)) continue;
    const bool all = !place.deep && rule_.sweep == Sweep::kTouch;
    Level* level = &touch;
    if (place.deep) level = &place.depth[1 - index_of(working.order.side)].back();
    const int64_t quantity = all ? working.order.quantity : std::min(working.order.quantity, room(*level));
    if (quantity <= 0) continue;
    level->taken = add(level->taken, quantity);
    fill(working, quantity, working.order.price, out);
  }
  drop_filled(place);
}

// Reached by the last trade; by the quote while the recording has no trade.
void TickVenue::trigger(Place& place, TickReports& out) {
  for (;;) {
    const auto ready = std::find_if(place.stops.begin(), place.stops.end(), [&](const Working& stop) {
      const int8_t side = stop.order.side;
      const int64_t price = place.last > 0 ? place.last : place.touch[side == kBuy ? 1 : 0].price;
      return price > 0 && side * (price - stop.order.stop) >= 0;
    });
    if (ready == place.stops.end()) return;
    Command live = ready->order;
    const int64_t filled = ready->filled;
    place.stops.erase(ready);
    --working_;
    live.kind = live.kind == OrderKind::kStop ? OrderKind::kMarket : OrderKind::kLimit;
    say(ReportKind::kTriggered, live, live.quantity, live.stop, Reason::NONE, out);
    enter(place, live, filled, out);
  }
}

// The first print after an auction's window is its price. Better orders trade at it; at the price itself only
// where no queue is modelled.
void TickVenue::resolve_auction(Place& place, int64_t price, int64_t volume, TickReports& out) {
  const Session held = std::exchange(place.auction, Session::kClosed);
  const bool unbounded = rule_.queue.model == QueueModel::kTouch && rule_.sweep == Sweep::kTouch;
  const int64_t cap = unbounded ? kUnknownAhead : share(volume);
  const OrderKind other = held == Session::kOpenAuction ? OrderKind::kCloseAuction : OrderKind::kOpenAuction;
  int64_t ours[2] = {0, 0};
  for (Working& working : place.resting) {
    const Command& order = working.order;
    if (order.kind == other) continue;
    const int64_t worst = bound(order);
    const int64_t better = worst == 0 ? 1 : order.side * (worst - price);
    const bool trades = volume > 0 && inside(place, price) &&
                        (better > 0 || (better == 0 && rule_.queue.model == QueueModel::kTouch));
    int64_t& used = ours[index_of(order.side)];
    const int64_t quantity = trades ? std::min(order.quantity, cap - used) : 0;
    if (quantity > 0) {
      used = add(used, quantity);
      fill(working, quantity, price, out);
    }
    if (is_auction(order.kind) && order.quantity > 0) {
      say(ReportKind::kExpired, order, order.quantity, 0, Reason::NOT_FILLED, out);
      working.order.quantity = 0;
    }
  }
  drop_filled(place);
}

void TickVenue::set_level(Place& place, int8_t side, int64_t price, int64_t size) {
  if (price <= 0 || size < 0)
    throw Failure(FailureKind::kUsage, "venue.depth", "a level needs a price > 0 and a size >= 0");
  const int s = index_of(side);
  std::vector<Level>& levels = place.depth[s];
  auto found = std::lower_bound(levels.begin(), levels.end(), key(side, price),
                                [&](const Level& level, int64_t k) { return key(side, level.price) < k; });
  const bool shown = found != levels.end() && found->price == price;
  const int64_t before = shown ? found->size : 0;
  if (size == 0) {
    if (shown) levels.erase(found);
  } else if (shown) {
    if (found->size != size) *found = {price, size, 0};
  } else {
    levels.insert(found, {price, size, 0});
  }
  requeue(place, side, price, before, size);
  place.touch[s] = levels.empty() ? Level{} : levels.back();
}

}  // namespace quant
