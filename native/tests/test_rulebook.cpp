#include <array>
#include <cstdint>
#include <limits>

#include "check.hpp"
#include "quant/market/rulebook_costs.hpp"
#include "quant/market/rulebook_orders.hpp"
#include "quant/market/rulebook_phases.hpp"
#include "quant/market/rulebook_prices.hpp"

using namespace quant;
using quant::tests::failure_of;

namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinute = 60'000'000'000, kHour = 60 * kMinute, kCent = kMoneyScale / 100;
constexpr LimitRule kTen{true, kRateScale / 10 * 11, kRateScale / 10 * 9, 100};

}  // namespace

TEST(a_limit_is_half_up_and_at_least_a_tick_away) {
  const PriceBand tie = price_band(119'500, kTen);  // 11.95 * 1.1 = 13.145
  CHECK_EQ(tie.up, 131'500);
  CHECK_EQ(tie.down, 107'600);
  CHECK(tie.holds(131'500) && !tie.holds(131'600) && !tie.holds(107'500));
  const PriceBand low = price_band(400, kTen);
  CHECK_EQ(low.up, 500);
  CHECK_EQ(low.down, 300);
  CHECK_EQ(price_band(100, kTen).down, 100);
  CHECK(!price_band(0, {}).limited && price_band(0, {}).holds(kMost));
}

TEST(prices_never_wrap_and_never_divide_by_zero) {
  CHECK_EQ(failure_of([] { price_band(0, kTen); }), "price.reference");
  CHECK_EQ(failure_of([] { price_band(kMost, kTen); }), "money.overflow");
  CHECK_EQ(failure_of([] { price_band(100, {true, kRateScale, kRateScale, 0}); }), "rule.tick");
  CHECK_EQ(failure_of([] { ex_reference(100, {}, 0); }), "rule.tick");
  CHECK_EQ(failure_of([] { ex_reference(kMost, {}, 100); }), "money.overflow");
  CHECK_EQ(failure_of([] { adjusted_price(100, 1, 0); }), "adjustment.factor");
}

TEST(a_range_is_measured_from_the_other_side_of_the_book) {
  const CageRule rule{Beyond::kHold, kRateScale / 100 * 102, kRateScale / 100 * 98, 10, 100};
  CHECK_EQ(cage_base(kBuy, {.ask = 3, .bid = 2, .last = 1, .prev_close = 4}), 3);
  CHECK_EQ(cage_base(kSell, {.ask = 3, .bid = 2, .last = 1, .prev_close = 4}), 2);
  CHECK_EQ(cage_base(kBuy, {.last = 1, .prev_close = 4}), 1);
  CHECK_EQ(cage_bound(kBuy, 30'000, rule), 31'000);
  CHECK_EQ(cage_bound(kBuy, 100'000, rule), 102'000);
  CHECK_EQ(cage_bound(kSell, 30'000, rule), 29'000);
  CHECK(price_cage(kBuy, 102'100, {.ask = 100'000}, rule) == CageAnswer::kHold);
  CHECK(price_cage(kBuy, kMost, {}, {}) == CageAnswer::kOk);
  CHECK_EQ(failure_of([&] { price_cage(kBuy, 1, {}, rule); }), "price.base");
}

TEST(a_distribution_moves_the_reference_with_one_rounding) {
  const int64_t yuan = kRatioScale;
  CHECK_EQ(ex_reference(352'900, {.cash = yuan * 16 / 100, .bonus = kRatioScale * 3 / 10}, 100), 270'200);
  CHECK_EQ(ex_reference(47'300, {.rights = kRatioScale * 3 / 10, .rights_price = 37'000}, 100), 44'900);
  const HoldingDue due = holding_due(99, {.cash = yuan / 10, .conversion = kRatioScale * 3 / 10}, kCent);
  CHECK_EQ(due.new_shares, 29);
  CHECK_EQ(due.cash, 9'900'000);
}

TEST(an_order_has_the_size_its_board_takes) {
  LotRule lots;
  lots.buy_min = lots.odd_lot_sell = 200;
  lots.buy_step = lots.sell_step = 1;
  const OrderCaps caps{100'000, 50'000, 0};
  CHECK(order_quantity_ok(lots, caps, OrderWay::kLimit, kBuy, 201, 0));
  CHECK(!order_quantity_ok(lots, caps, OrderWay::kLimit, kBuy, 199, 0));
  CHECK(order_quantity_ok(lots, caps, OrderWay::kLimit, kSell, 150, 150));
  CHECK(!order_quantity_ok(lots, caps, OrderWay::kMarket, kBuy, 50'001, 0));
  CHECK(!order_quantity_ok(lots, caps, OrderWay::kAfterHours, kBuy, 200, 0));
  CHECK_EQ(sellable_today(1, 100, 50), 100);
  CHECK_EQ(sellable_today(0, 100, 50), 150);
  lots.sell_step = 0;
  CHECK_EQ(failure_of([&] { order_quantity_ok(lots, caps, OrderWay::kLimit, kSell, 1, 1); }), "rule.lots");
}

TEST(a_phase_takes_cancels_until_its_own_time) {
  const std::array<PhaseSpan, 2> day{
      {{9 * kHour + 15 * kMinute, 9 * kHour + 25 * kMinute, 9 * kHour + 20 * kMinute, DayPhase::kOpenAuction},
       {13 * kHour, 15 * kHour, 15 * kHour, DayPhase::kContinuous}}};
  const std::array<HaltSpan, 1> halts{{{13 * kHour + 13 * kMinute, 13 * kHour + 28 * kMinute}}};
  CHECK(phase_at(day, 9 * kHour + 20 * kMinute - 1).cancel_ok);
  CHECK(!phase_at(day, 9 * kHour + 20 * kMinute).cancel_ok);
  CHECK(phase_at(day, 15 * kHour).phase == DayPhase::kClosed);
  CHECK(market_open(day, halts, 13 * kHour) && !market_open(day, halts, 13 * kHour + 13 * kMinute));
  CHECK(market_open(day, halts, 13 * kHour + 28 * kMinute) &&
        !market_open(day, halts, 9 * kHour + 15 * kMinute));
}

TEST(a_breaker_pauses_once_and_closes_late) {
  const BreakerRule rule{kRateScale / 20, kRateScale / 100 * 7, 15 * kMinute, 14 * kHour + 45 * kMinute,
                         15 * kHour};
  CHECK(circuit_breaker(rule, -kRateScale / 20, 13 * kHour).action == BreakerAction::kPause);
  CHECK_EQ(circuit_breaker(rule, -kRateScale / 20, 13 * kHour).until, 13 * kHour + 15 * kMinute);
  CHECK(circuit_breaker(rule, kRateScale / 20, 14 * kHour + 45 * kMinute).action == BreakerAction::kClose);
  CHECK(circuit_breaker(rule, kRateScale / 20 - 1, 13 * kHour).action == BreakerAction::kNone);
  CHECK_EQ(failure_of([&] { circuit_breaker(rule, std::numeric_limits<int64_t>::min(), 0); }),
           "money.overflow");
  const IpoHaltRule first{kRateScale / 10 * 3, kRateScale / 10 * 6, 10 * kMinute, 14 * kHour + 57 * kMinute};
  CHECK(ipo_halt(first, 100'000, 130'000, 10 * kHour, 0).halt);
  CHECK(!ipo_halt(first, 100'000, 130'000, 10 * kHour, 1).halt);
  CHECK_EQ(ipo_halt(first, 100'000, 30'000, 14 * kHour + 50 * kMinute, 0).until, first.latest);
}

TEST(a_month_ends_with_its_last_day) {
  CHECK_EQ(add_months(19'753, 1), 19'782);   // 2024-01-31 -> 2024-02-29
  CHECK_EQ(add_months(19'782, 12), 20'147);  // 2024-02-29 -> 2025-02-28
  const DividendTaxRule rule{kRateScale / 5, kRateScale / 10, 0};
  CHECK_EQ(dividend_tax_rate(rule, 15'713, 15'744), kRateScale / 5);   // 2013-01-08 -> 2013-02-08
  CHECK_EQ(dividend_tax_rate(rule, 15'713, 15'745), kRateScale / 10);  // a day more
}

TEST(taxes_and_fees_are_rounded_once) {
  const DividendTaxRule rule{kRateScale / 5, kRateScale / 10, 0};
  const std::array<TaxLot, 2> lots{{{19'000, 1}, {19'700, 3}}};
  CHECK_EQ(dividend_tax(rule, lots, 19'710, 19'715, 4, 16'667, kCent), kCent);  // 3 * 0.016667 * 20 %
  CHECK_EQ(dividend_tax(rule, lots, 19'710, 19'710, 4, kMoneyScale, kCent), 0);
  CHECK_EQ(failure_of([&] { dividend_tax(rule, lots, 0, 1, 5, 1, kCent); }), "dividend_tax.lots");
  CHECK_EQ(levy(100'000 * kMoneyScale, 34'100, kCent), 3'410'000);
  CHECK_EQ(transfer_fee(5'000 * kMoneyScale, 500, {0, 1'000, kMoneyScale}, kCent), kMoneyScale);
  CHECK_EQ(failure_of([] { levy(kMost, kMost, 1); }), "money.overflow");
}
