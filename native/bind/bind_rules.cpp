#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <tuple>
#include <utility>
#include <vector>

#include "bind.hpp"
#include "quant/market/rulebook_costs.hpp"
#include "quant/market/rulebook_orders.hpp"
#include "quant/market/rulebook_phases.hpp"
#include "quant/market/rulebook_prices.hpp"

namespace nb = nanobind;
using namespace nb::literals;

// The dated rules as numbers: a rule is a tuple of ints in the order of its C++ struct (native/rules resolves
// rows into them).
namespace quant {
namespace {

using Limits = std::tuple<int64_t, int64_t, int64_t>;              // up, down, tick
using Cage = std::tuple<int, int64_t, int64_t, int64_t, int64_t>;  // beyond, up, down, ticks, tick
using Quote = std::tuple<int64_t, int64_t, int64_t, int64_t>;      // ask, bid, last, previous close
using Due = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t>;
using Lots = std::tuple<int64_t, int64_t, int64_t, int64_t>;  // buy_min, buy_step, sell_step, odd_lot_sell
using Span = std::tuple<int64_t, int64_t, int64_t, int>;      // start, end, cancel_until, phase
using Times = std::pair<int64_t, int64_t>;

ShareDistribution due_of(const Due& due) {
  const auto [cash, bonus, conversion, rights, rights_price] = due;
  return {cash, bonus, conversion, rights, rights_price};
}

std::vector<PhaseSpan> spans_of(const std::vector<Span>& day) {
  std::vector<PhaseSpan> spans;
  for (const auto& [start, end, cancel, phase] : day)
    spans.push_back({start, end, cancel, static_cast<DayPhase>(phase)});
  return spans;
}

std::vector<HaltSpan> halts_of(const std::vector<Times>& halts) {
  std::vector<HaltSpan> spans;
  for (const auto& [start, end] : halts) spans.push_back({start, end});
  return spans;
}

void bind_prices(nb::module_& m) {
  m.def(
      "price_band",
      [](int64_t reference, const Limits& rule) {
        const auto [up, down, tick] = rule;
        const PriceBand band = price_band(reference, {true, up, down, tick});
        return Times{band.up, band.down};
      },
      "reference"_a, "rule"_a);
  m.def(
      "price_cage",
      [](int8_t side, int64_t price, const Quote& quote, const Cage& rule) {
        const auto [ask, bid, last, prev_close] = quote;
        const auto [beyond, up, down, ticks, tick] = rule;
        return static_cast<int>(price_cage(side, price, {ask, bid, last, prev_close},
                                           {static_cast<Beyond>(beyond), up, down, ticks, tick}));
      },
      "side"_a, "price"_a, "quote"_a, "rule"_a);
  m.def(
      "ex_reference",
      [](int64_t prev_close, const Due& due, int64_t tick) {
        return ex_reference(prev_close, due_of(due), tick);
      },
      "prev_close"_a, "due"_a, "tick"_a);
  m.def(
      "holding_due",
      [](int64_t quantity, const Due& due, int64_t unit) {
        const HoldingDue found = holding_due(quantity, due_of(due), unit);
        return Times{found.new_shares, found.cash};
      },
      "quantity"_a, "due"_a, "unit"_a);
  m.def("adjustment_step", &adjustment_step, "prev_close"_a, "reference"_a, "unit"_a);
  m.def("adjusted_price", &adjusted_price, "price"_a, "factor"_a, "last_factor"_a);
}

void bind_orders(nb::module_& m) {
  m.def(
      "order_quantity_ok",
      [](const Lots& lots, int64_t largest, int8_t side, int64_t quantity, int64_t position) {
        LotRule rule;
        std::tie(rule.buy_min, rule.buy_step, rule.sell_step, rule.odd_lot_sell) = lots;
        return order_quantity_ok(rule, {largest, 0, 0}, OrderWay::kLimit, side, quantity, position);
      },
      "lots"_a, "largest"_a, "side"_a, "quantity"_a, "position"_a);
  m.def("sellable_today", &sellable_today, "settlement_days"_a, "held_before"_a, "bought_today"_a);
  m.def("buy_room", &buy_room, "cap"_a, "bought_today"_a);
  m.def(
      "high_frequency",
      [](int64_t rule_per_second, int64_t rule_per_day, int64_t most_per_second, int64_t per_day) {
        return high_frequency({rule_per_second, rule_per_day}, most_per_second, per_day);
      },
      "rule_per_second"_a, "rule_per_day"_a, "most_per_second"_a, "per_day"_a);
  m.def(
      "short_sale_ok",
      [](std::tuple<bool, bool, bool> rule, int64_t price, int64_t last, int64_t prev_close, bool borrowed,
         bool listed) {
        const auto [naked, listed_only, uptick] = rule;
        return short_sale_ok({naked, listed_only, uptick}, price, last, prev_close, borrowed, listed);
      },
      "rule"_a, "price"_a, "last"_a, "prev_close"_a, "borrowed"_a, "listed"_a);
}

void bind_phases(nb::module_& m) {
  m.def(
      "phase_at",
      [](const std::vector<Span>& day, int64_t time) {
        const PhaseAt found = phase_at(spans_of(day), time);
        return std::pair<int, bool>{static_cast<int>(found.phase), found.cancel_ok};
      },
      "day"_a, "time"_a);
  m.def(
      "market_open",
      [](const std::vector<Span>& day, const std::vector<Times>& halts, int64_t time) {
        return market_open(spans_of(day), halts_of(halts), time);
      },
      "day"_a, "halts"_a, "time"_a);
  m.def(
      "circuit_breaker",
      [](std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t> rule, int64_t index_return, int64_t time) {
        const auto [first, second, pause, late, close] = rule;
        const BreakerAnswer found = circuit_breaker({first, second, pause, late, close}, index_return, time);
        return std::pair<int, int64_t>{static_cast<int>(found.action), found.until};
      },
      "rule"_a, "index_return"_a, "time"_a);
  m.def(
      "ipo_halt",
      [](std::tuple<int64_t, int64_t, int64_t, int64_t> rule, int64_t open, int64_t price, int64_t time,
         uint8_t used) {
        const auto [first, second, pause, latest] = rule;
        const IpoHaltAnswer found = ipo_halt({first, second, pause, latest}, open, price, time, used);
        return std::tuple<bool, int64_t, uint8_t>{found.halt, found.until, found.used};
      },
      "rule"_a, "open"_a, "price"_a, "time"_a, "used"_a);
}

void bind_costs(nb::module_& m) {
  m.def("levy", &levy, "amount"_a, "rate"_a, "unit"_a);
  m.def(
      "transfer_fee",
      [](int64_t amount, int64_t quantity, std::tuple<int64_t, int64_t, int64_t> rule, int64_t unit) {
        const auto [rate, per_share, minimum] = rule;
        return transfer_fee(amount, quantity, {rate, per_share, minimum}, unit);
      },
      "amount"_a, "quantity"_a, "rule"_a, "unit"_a);
  m.def(
      "fees_of",
      [](int64_t notional, int64_t quantity, int8_t side,
         std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t> rule, int64_t unit) {
        const auto [commission, stamp_buy, stamp_sell, transfer, minimum, per_share] = rule;
        const Fees fees = fees_of(notional, quantity, side,
                                  {commission, stamp_buy, stamp_sell, transfer, minimum, per_share}, unit);
        return std::tuple<int64_t, int64_t, int64_t>{fees.commission, fees.stamp, fees.transfer};
      },
      "notional"_a, "quantity"_a, "side"_a, "rule"_a, "unit"_a);
  m.def(
      "dividend_tax",
      [](std::tuple<int64_t, int64_t, int64_t> rule, const std::vector<std::pair<int32_t, int64_t>>& lots,
         int32_t record, int32_t sold, int64_t quantity, int64_t taxable, int64_t unit) {
        const auto [upto_month, upto_year, beyond] = rule;
        std::vector<TaxLot> held;
        for (const auto& [bought, count] : lots) held.push_back({bought, count});
        return dividend_tax({upto_month, upto_year, beyond}, held, record, sold, quantity, taxable, unit);
      },
      "rule"_a, "lots"_a, "record"_a, "sold"_a, "quantity"_a, "taxable"_a, "unit"_a);
}

}  // namespace

void bind_rules(nb::module_& m) {
  bind_prices(m);
  bind_orders(m);
  bind_phases(m);
  bind_costs(m);
}

}  // namespace quant
