#include <algorithm>
#include <limits>

#include "quant/book/order_book.hpp"
#include "quant/prim/wide.hpp"

// Call auctions: the price of the largest volume, of these the smallest imbalance, of these the tie-break.
namespace quant::book {
namespace {

constexpr int64_t kFar = std::numeric_limits<int64_t>::max() / 4;

// Prices low..high at which the same quantities would trade.
struct Stretch {
  int64_t low = 0, high = 0;
  int64_t buys = 0, sells = 0;
  int64_t volume() const { return std::min(buys, sells); }
  int64_t imbalance() const { return buys > sells ? buys - sells : sells - buys; }
};

bool better(const Stretch& a, const Stretch& b) {
  return a.volume() != b.volume() ? a.volume() > b.volume() : a.imbalance() < b.imbalance();
}

struct Point {
  int64_t price = 0, buys = 0, sells = 0;  // of orders at this price; then, that would trade at it
};

std::vector<Point> points_of(const std::vector<Level>& buys, const std::vector<Level>& sells,
                             int64_t market_buys, int64_t market_sells) {
  std::vector<Point> points;
  for (const Level& level : buys) points.push_back({level.price, level.quantity, 0});
  for (const Level& level : sells) points.push_back({level.price, 0, level.quantity});
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.price < b.price; });
  size_t kept = 0;
  for (size_t k = 0; k < points.size(); ++k) {
    if (kept > 0 && points[kept - 1].price == points[k].price) {
      points[kept - 1].buys += points[k].buys;
      points[kept - 1].sells += points[k].sells;
    } else {
      points[kept++] = points[k];
    }
  }
  points.resize(kept);
  int64_t supply = market_sells, demand = market_buys;
  for (Point& point : points) point.sells = supply = add(supply, point.sells);
  for (size_t k = points.size(); k-- > 0;) points[k].buys = demand = add(demand, points[k].buys);
  return points;
}

int64_t nearest(const std::vector<Stretch>& best, int64_t reference) {
  int64_t price = 0, distance = std::numeric_limits<int64_t>::max();
  for (const Stretch& stretch : best) {  // ascending: of two at one distance the higher stays
    const int64_t candidate = std::clamp(reference, stretch.low, stretch.high);
    const int64_t away = candidate > reference ? candidate - reference : reference - candidate;
    if (away > distance) continue;
    price = candidate;
    distance = away;
  }
  return price;
}

}  // namespace

AuctionPrice OrderBook::indicative(const AuctionRule& rule) const {
  const int64_t floor = std::max(rule.low, tick_), ceiling = rule.high > 0 ? rule.high : kFar;
  const std::vector<Point> points = points_of(sides_[0], sides_[1], market_quantity_[0], market_quantity_[1]);
  if (!points.empty() && (points.front().price < floor || points.back().price > ceiling)) {
    throw Failure(FailureKind::kUsage, "book.limits", "an order of the auction lies beyond the price limits");
  }
  const int64_t reference =
      rule.reference > 0 ? std::clamp((rule.reference + tick_ / 2) / tick_ * tick_, floor, ceiling) : 0;
  const bool between = reference > 0 && (rule.tie == TieBreak::kReference || points.empty());
  std::vector<Stretch> stretches;
  const auto gap = [&](int64_t low, int64_t high, int64_t buys, int64_t sells) {
    if (between && low <= high) stretches.push_back({low, high, buys, sells});
  };
  int64_t from = floor, supply = market_quantity_[1];
  for (const Point& point : points) {
    gap(from, point.price - tick_, point.buys, supply);
    stretches.push_back({point.price, point.price, point.buys, point.sells});
    from = point.price + tick_;
    supply = point.sells;
  }
  gap(from, ceiling, market_quantity_[0], supply);
  std::vector<Stretch> best;
  for (const Stretch& stretch : stretches) {
    if (stretch.volume() == 0) continue;
    if (!best.empty() && better(best.front(), stretch)) continue;
    if (!best.empty() && better(stretch, best.front())) best.clear();
    best.push_back(stretch);
  }
  if (best.empty()) return {};
  const int64_t middle = (best.front().low + best.back().high + tick_) / (2 * tick_) * tick_;
  const int64_t price = between ? nearest(best, reference) : middle;
  const auto found = std::find_if(stretches.begin(), stretches.end(),
                                  [&](const Stretch& s) { return s.low <= price && price <= s.high; });
  if (found != stretches.end()) return {price, found->volume(), found->buys, found->sells};
  int64_t buys = market_quantity_[0], sells = market_quantity_[1];  // the middle lies between two prices
  for (const Level& level : sides_[0]) buys += level.price >= price ? level.quantity : 0;
  for (const Level& level : sides_[1]) sells += level.price <= price ? level.quantity : 0;
  return {price, std::min(buys, sells), buys, sells};
}

// The oldest order of the best price that trades in the auction: market orders come first.
int32_t OrderBook::first_in_auction(int8_t side, int64_t price) const {
  const Queue& market = market_[side == kBuy ? 0 : 1];
  if (market.head >= 0) return market.head;
  const std::vector<Level>& side_levels = levels(side);
  const bool trades = !side_levels.empty() && side * (side_levels.back().price - price) >= 0;
  return trades ? side_levels.back().head : -1;
}

AuctionPrice OrderBook::uncross(const AuctionRule& rule, Events& out) {
  const AuctionPrice result = indicative(rule);
  for (int64_t left = result.volume; left > 0;) {
    const int32_t buy = first_in_auction(kBuy, result.price), sell = first_in_auction(kSell, result.price);
    if (buy < 0 || sell < 0) broken("book.auction", "an auction ran out of orders before its volume traded");
    const Order &bid = nodes_[static_cast<size_t>(buy)].order, &ask = nodes_[static_cast<size_t>(sell)].order;
    const int64_t quantity = std::min({bid.quantity, ask.quantity, left});
    out.push_back({EventKind::kTrade, bid.id, ask.id, result.price, quantity, Reason::NONE});
    reduce(buy, quantity);
    reduce(sell, quantity);
    left -= quantity;
  }
  if (result.volume > 0) last_ = result.price;
  std::vector<std::pair<uint64_t, int32_t>> gone;
  for (const auto& [id, node] : where_) {
    const Node& open = nodes_[static_cast<size_t>(node)];
    if (!open.waits && is_auction(open.order.kind)) gone.emplace_back(open.sequence, node);
  }
  std::sort(gone.begin(), gone.end());
  for (const auto& [age, node] : gone) {
    const Order& order = nodes_[static_cast<size_t>(node)].order;
    out.push_back({EventKind::kExpired, order.id, 0, order.price, order.quantity, Reason::NOT_FILLED});
    remove(node);
  }
  auction_ = false;
  trigger(out);
  return result;
}

}  // namespace quant::book
