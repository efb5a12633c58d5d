#include "quant/book/order_book.hpp"

#include <algorithm>

#include "quant/prim/wide.hpp"

namespace quant::book {
namespace {

int64_t key(int8_t side, int64_t price) { return side == kBuy ? price : -price; }

bool crosses(const Order& taker, int64_t maker_price) {
  return taker.kind == OrderKind::kMarket || taker.side * (taker.price - maker_price) >= 0;
}

bool reached(const Order& stop, int64_t last) { return last > 0 && stop.side * (last - stop.stop) >= 0; }

auto lower_level(auto& levels, int8_t side, int64_t price) {
  return std::lower_bound(levels.begin(), levels.end(), key(side, price),
                          [&](const Level& level, int64_t k) { return key(side, level.price) < k; });
}

}  // namespace

OrderBook::OrderBook(int64_t tick) : tick_(tick) {
  if (tick < 1) throw Failure(FailureKind::kUsage, "book.tick", "the tick of a book must be positive");
}

Level* OrderBook::find_level(int8_t side, int64_t price) {
  std::vector<Level>& levels = side_of(side);
  const auto found = lower_level(levels, side, price);
  return found == levels.end() || found->price != price ? nullptr : &*found;
}

Level& OrderBook::level_at(int8_t side, int64_t price) {
  std::vector<Level>& levels = side_of(side);
  const auto place = lower_level(levels, side, price);
  if (place != levels.end() && place->price == price) return *place;
  return *levels.insert(place, Level{price});
}

int32_t OrderBook::take_node(const Order& order) {
  int32_t node = static_cast<int32_t>(nodes_.size());
  if (free_.empty()) {
    nodes_.emplace_back();
  } else {
    node = free_.back();
    free_.pop_back();
  }
  nodes_[static_cast<size_t>(node)] = Node{order, ++sequence_};
  where_[order.id] = node;
  return node;
}

void OrderBook::drop_node(int32_t node) {
  where_.erase(nodes_[static_cast<size_t>(node)].order.id);
  free_.push_back(node);
}

template <class List>
void OrderBook::link(List& list, int32_t node) {
  Node& added = nodes_[static_cast<size_t>(node)];
  added.previous = list.tail;
  added.next = -1;
  if (list.tail >= 0)
    nodes_[static_cast<size_t>(list.tail)].next = node;
  else
    list.head = node;
  list.tail = node;
}

template <class List>
void OrderBook::unlink(List& list, int32_t node) {
  const Node& gone = nodes_[static_cast<size_t>(node)];
  (gone.previous >= 0 ? nodes_[static_cast<size_t>(gone.previous)].next : list.head) = gone.next;
  (gone.next >= 0 ? nodes_[static_cast<size_t>(gone.next)].previous : list.tail) = gone.previous;
}

void OrderBook::rest(const Order& order, Events& out) {
  const int32_t node = take_node(order);
  if (is_auction(order.kind) && order.price == 0) {
    const int s = order.side == kBuy ? 0 : 1;
    link(market_[s], node);
    market_quantity_[s] = quant::add(market_quantity_[s], order.quantity);
  } else {
    Level& level = level_at(order.side, order.price);
    link(level, node);
    level.quantity = quant::add(level.quantity, order.quantity);
    ++level.orders;
  }
  out.push_back({EventKind::kAccepted, order.id, 0, order.price, order.quantity, Reason::NONE});
}

// Takes a node out of whatever holds it.
void OrderBook::remove(int32_t node) {
  const Node& gone = nodes_[static_cast<size_t>(node)];
  const Order& order = gone.order;
  if (gone.waits) {
    stops_.erase(std::find(stops_.begin(), stops_.end(), node));
  } else if (is_auction(order.kind) && order.price == 0) {
    const int s = order.side == kBuy ? 0 : 1;
    unlink(market_[s], node);
    market_quantity_[s] -= order.quantity;
  } else {
    Level& level = *find_level(order.side, order.price);
    unlink(level, node);
    level.quantity -= order.quantity;
    if (--level.orders == 0) {
      std::vector<Level>& levels = side_of(order.side);
      levels.erase(levels.begin() + (&level - levels.data()));
    }
  }
  drop_node(node);
}

void OrderBook::reduce(int32_t node, int64_t quantity) {
  Order& order = nodes_[static_cast<size_t>(node)].order;
  if (order.quantity == quantity) return remove(node);
  order.quantity -= quantity;
  if (nodes_[static_cast<size_t>(node)].waits) return;
  if (is_auction(order.kind) && order.price == 0) {
    market_quantity_[order.side == kBuy ? 0 : 1] -= quantity;
  } else {
    find_level(order.side, order.price)->quantity -= quantity;
  }
}

Reason OrderBook::refuse(const Order& order) const {
  if ((order.side != kBuy && order.side != kSell) || order.quantity <= 0 || order.quantity > INT64_MAX / 4 ||
      order.kind > OrderKind::kCloseAuction || order.tif > Tif::kFok || where_.contains(order.id)) {
    return Reason::INVALID;
  }
  const bool priced = order.kind == OrderKind::kLimit || order.kind == OrderKind::kStopLimit;
  if (order.price < 0 || order.price > INT64_MAX / 4 || order.stop < 0) return Reason::INVALID;
  if (priced && order.price == 0) return Reason::INVALID;
  if (is_stop(order.kind) && order.stop == 0) return Reason::INVALID;
  if ((priced || is_auction(order.kind)) && order.price % tick_ != 0) return Reason::TICK;
  if (is_stop(order.kind)) return order.stop % tick_ != 0 ? Reason::TICK : Reason::NONE;
  const bool gathers = is_auction(order.kind) || (order.kind == OrderKind::kLimit &&
                                                  (order.tif == Tif::kDay || order.tif == Tif::kGtc));
  if (auction_ ? !gathers : is_auction(order.kind)) return Reason::WRONG_PHASE;
  return Reason::NONE;
}

void OrderBook::add(const Order& order, Events& out) {
  if (const Reason reason = refuse(order); reason != Reason::NONE) {
    out.push_back({EventKind::kRejected, order.id, 0, order.price, order.quantity, reason});
    return;
  }
  if (auction_ && !is_stop(order.kind)) return rest(order, out);
  if (is_stop(order.kind)) {
    const int32_t node = take_node(order);
    nodes_[static_cast<size_t>(node)].waits = true;
    stops_.push_back(node);
    out.push_back({EventKind::kAccepted, order.id, 0, order.stop, order.quantity, Reason::NONE});
  } else {
    enter(order, out);
  }
  if (!auction_) trigger(out);
}

// What of the order could trade at once.
int64_t OrderBook::reachable(const Order& order) const {
  int64_t quantity = 0;
  const std::vector<Level>& makers = levels(static_cast<int8_t>(-order.side));
  for (auto level = makers.rbegin(); level != makers.rend() && crosses(order, level->price); ++level) {
    quantity = quant::add(quantity, level->quantity);
    if (quantity >= order.quantity) return order.quantity;
  }
  return quantity;
}

int64_t OrderBook::match(Order& order, Events& out) {
  std::vector<Level>& makers = side_of(static_cast<int8_t>(-order.side));
  while (order.quantity > 0 && !makers.empty() && crosses(order, makers.back().price)) {
    const int32_t node = makers.back().head;
    const Order& maker = nodes_[static_cast<size_t>(node)].order;
    const int64_t quantity = std::min(order.quantity, maker.quantity);
    out.push_back({EventKind::kTrade, order.id, maker.id, maker.price, quantity, Reason::NONE});
    last_ = maker.price;
    order.quantity -= quantity;
    reduce(node, quantity);
  }
  return order.quantity;
}

void OrderBook::enter(Order order, Events& out) {
  const bool whole = order.tif != Tif::kFok || reachable(order) == order.quantity;
  if (whole && match(order, out) == 0) return;
  const bool rests = order.kind == OrderKind::kLimit && (order.tif == Tif::kDay || order.tif == Tif::kGtc);
  if (rests) return rest(order, out);
  out.push_back({EventKind::kExpired, order.id, 0, order.price, order.quantity, Reason::NOT_FILLED});
}

// Stops that the last trade has reached, the oldest first; each may move the last trade again.
void OrderBook::trigger(Events& out) {
  for (;;) {
    const auto ready = std::find_if(stops_.begin(), stops_.end(), [&](int32_t node) {
      return reached(nodes_[static_cast<size_t>(node)].order, last_);
    });
    if (ready == stops_.end()) return;
    Order live = nodes_[static_cast<size_t>(*ready)].order;
    drop_node(*ready);
    stops_.erase(ready);
    live.kind = live.kind == OrderKind::kStop ? OrderKind::kMarket : OrderKind::kLimit;
    out.push_back({EventKind::kTriggered, live.id, 0, last_, live.quantity, Reason::NONE});
    enter(live, out);
  }
}

bool OrderBook::cancel(int64_t id, Events& out) {
  const auto found = where_.find(id);
  if (found == where_.end()) return false;
  const Order order = nodes_[static_cast<size_t>(found->second)].order;
  remove(found->second);
  out.push_back({EventKind::kCancelled, id, 0, order.price, order.quantity, Reason::CANCEL_REQUESTED});
  return true;
}

bool OrderBook::replace(int64_t id, int64_t price, int64_t quantity, Events& out) {
  const auto found = where_.find(id);
  if (found == where_.end()) return false;
  const int32_t node = found->second;
  Order order = nodes_[static_cast<size_t>(node)].order;
  if (price < 0 || price % tick_ != 0 || quantity <= 0 || quantity > INT64_MAX / 4 ||
      (price == 0) != (order.price == 0)) {
    out.push_back({EventKind::kRejected, id, 0, price, quantity, Reason::INVALID});
    return true;
  }
  if (price == order.price && quantity <= order.quantity) {
    if (quantity < order.quantity) reduce(node, order.quantity - quantity);
    out.push_back({EventKind::kAccepted, id, 0, price, quantity, Reason::NONE});
    return true;
  }
  remove(node);
  order.price = price;
  order.quantity = quantity;
  add(order, out);
  return true;
}

void OrderBook::end_day(Events& out) {
  std::vector<std::pair<uint64_t, int64_t>> gone;  // by age: the order of hash buckets is no order
  for (const auto& [id, node] : where_) {
    const Node& open = nodes_[static_cast<size_t>(node)];
    if (open.order.tif != Tif::kGtc) gone.emplace_back(open.sequence, id);
  }
  std::sort(gone.begin(), gone.end());
  for (const auto& [age, id] : gone) {
    const int32_t node = where_.at(id);
    const Order& order = nodes_[static_cast<size_t>(node)].order;
    out.push_back({EventKind::kExpired, id, 0, order.price, order.quantity, Reason::DAY_END});
    remove(node);
  }
}

int64_t OrderBook::open_quantity(int64_t id) const {
  const auto found = where_.find(id);
  return found == where_.end() ? 0 : nodes_[static_cast<size_t>(found->second)].order.quantity;
}

int64_t OrderBook::quantity_ahead(int64_t id) const {
  const auto found = where_.find(id);
  if (found == where_.end() || nodes_[static_cast<size_t>(found->second)].waits) return -1;
  int64_t ahead = 0;
  for (int32_t node = nodes_[static_cast<size_t>(found->second)].previous; node >= 0;
       node = nodes_[static_cast<size_t>(node)].previous) {
    ahead += nodes_[static_cast<size_t>(node)].order.quantity;
  }
  return ahead;
}

bool OrderBook::sound() const {
  size_t listed = stops_.size();
  const auto walk = [&](int32_t head, int32_t tail, int64_t quantity) {
    int64_t sum = 0;
    uint64_t age = 0;
    int32_t previous = -1;
    for (int32_t node = head; node >= 0; node = nodes_[static_cast<size_t>(node)].next) {
      const Node& open = nodes_[static_cast<size_t>(node)];
      if (open.previous != previous || open.sequence <= age || open.order.quantity <= 0) return false;
      sum += open.order.quantity;
      age = open.sequence;
      previous = node;
      ++listed;
    }
    return previous == tail && sum == quantity;
  };
  for (int s = 0; s < 2; ++s) {
    const int8_t side = s == 0 ? kBuy : kSell;
    for (size_t k = 0; k < sides_[s].size(); ++k) {
      const Level& level = sides_[s][k];
      if (level.orders < 1 || !walk(level.head, level.tail, level.quantity)) return false;
      if (k > 0 && key(side, sides_[s][k - 1].price) >= key(side, level.price)) return false;
    }
    if (!walk(market_[s].head, market_[s].tail, market_quantity_[s])) return false;
    if (!auction_ && market_quantity_[s] != 0) return false;
  }
  const bool crossed = best(kBuy) > 0 && best(kSell) > 0 && best(kBuy) >= best(kSell);
  return listed == where_.size() && nodes_.size() == where_.size() + free_.size() && (auction_ || !crossed);
}

}  // namespace quant::book
