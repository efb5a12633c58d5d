#pragma once
#include <cstdint>
#include <span>

// Crypto exchanges (Binance as the model) over numeric terms: prices, quantities and money at kCoinScale,
// rates at kRateScale. core/market/crypto.py reads a dated exchangeInfo and the tables into these.
namespace quant::crypto {

constexpr int64_t kCoinScale = 100'000'000;

// The filters of a symbol in the order they are tried in; a value of 0 switches its test off.
enum class Filter : uint8_t {
  kOk = 0,
  kPrice,
  kPercentPrice,
  kPercentPriceBySide,
  kLotSize,
  kMinNotional,
  kNotional,
  kMarketLotSize,
  kMaxNumOrders,
  kMaxNumAlgoOrders,
  kMaxPosition,
};

struct Range {
  int64_t min = 0, max = 0, step = 0;
};

struct Filters {
  uint32_t present = 0;  // bit 1 << Filter
  Range price, lot, market_lot;
  int64_t percent_up = 0, percent_down = 0;  // of the average price
  bool percent_by_direction = false;         // futures: up binds buys, down binds sales
  int64_t bid_up = 0, bid_down = 0, ask_up = 0, ask_down = 0;
  int64_t min_notional = 0, max_notional = 0;
  bool min_to_market = false, max_to_market = false;
  int64_t max_orders = 0, max_algo_orders = 0, max_position = 0;
  bool has(Filter filter) const { return (present >> static_cast<uint32_t>(filter)) & 1U; }
};

struct OrderCheck {
  bool buy = true, market = false, algo = false;
  int64_t price = 0, quantity = 0;
  bool price_rest = false, quantity_rest = false;  // decimals beyond kCoinScale: never a multiple of a step
  int64_t average = 0;                             // average, last or mark price, 0 = not known
  int64_t open_orders = 0, open_algo_orders = 0, position = 0;
};

// The first filter an order fails, kOk if none.
Filter first_failure(const OrderCheck& order, const Filters& filters);

// price * quantity, half up to 1 / kCoinScale (exact on the grid of a symbol).
int64_t notional(int64_t price, int64_t quantity);

// Cash of the holder at a funding stamp, quantity < 0 is short: a long pays when the rate is above 0.
int64_t funding_payment(int64_t quantity, int64_t mark, int64_t rate);

struct FundingTerms {
  int64_t interest = 0, clamp = 0;  // of eight hours
  int32_t hours = 8;
  int64_t cap = 0, floor = 0;  // of the stamp, both 0 = none
};

// P + clamp(I - P, -clamp, clamp), for an interval of `hours`, within floor and cap.
int64_t funding_rate(int64_t premium, const FundingTerms& terms);

// Maintenance margin by size: brackets ascending by floor, rate and amount deducted of each.
struct Bracket {
  int64_t floor = 0, rate = 0, cum = 0;
};
const Bracket& bracket_of(int64_t notional, std::span<const Bracket> brackets);
int64_t maintenance_margin(int64_t notional, std::span<const Bracket> brackets);

struct Position {
  int64_t quantity = 0, entry = 0;  // quantity < 0 is short
  // Isolated: the margin of the position. Cross: the wallet, with the profit of the other positions and less
  // their maintenance margin.
  int64_t wallet = 0;
};

constexpr int64_t kNoPrice = INT64_MAX;

// The mark price at which the margin is used up, half up to `unit`; 0 when no price above 0 does (a long that
// its wallet pays for), kNoPrice when it is beyond all prices (a short that its wallet dwarfs).
int64_t liquidation_price(const Position& position, const Bracket& bracket, int64_t unit);
// The same with the bracket that holds at that price.
int64_t liquidation_price(const Position& position, std::span<const Bracket> brackets, int64_t unit);

// Fee of a fill, half up to 1 / kCoinScale.
int64_t fee(int64_t notional, int64_t rate);

}  // namespace quant::crypto
