#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <utility>
#include <vector>

#include "bind.hpp"
#include "columns.hpp"
#include "quant/market/crypto.hpp"
#include "quant/market/futures.hpp"
#include "quant/market/options.hpp"
#include "quant/market/us.hpp"
#include "quant/prim/failure.hpp"

// Rules of futures, options, US equities and crypto, called with numbers; native/rules/*.py names them.
namespace quant {

namespace {

using Numbers = std::vector<int64_t>;

us::MarginTerms us_margin_terms(const Numbers& terms) {
  if (terms.size() != 7) throw nb::value_error("margin terms have seven numbers");
  return {terms[0], terms[1], terms[2], terms[3], terms[4], terms[5], terms[6]};
}

us::HaltTerms us_halt_terms(const Numbers& levels, int32_t minutes, int32_t not_after) {
  if (levels.size() != 3) throw nb::value_error("there are three levels");
  return {{levels[0], levels[1], levels[2]}, minutes, not_after};
}

void bind_us(nb::module_& m) {
  m.def("us_section31", [](int64_t proceeds, int64_t rate) { return us::section31(proceeds, {rate, 0, 0}); });
  m.def("us_taf", [](int64_t shares, int64_t rate, int64_t cap) { return us::taf(shares, {0, rate, cap}); });
  m.def("us_cents_up", &us::cents_up);
  m.def("us_settle_day", [](const std::vector<int32_t>& days, int32_t trade_day, int32_t cycle) {
    return us::settle_day(days, trade_day, cycle);
  });
  m.def("us_pdt_restricted",
        [](int32_t trades, int64_t share, int64_t equity, int32_t count, int64_t least, int64_t min_equity) {
          return us::pdt_restricted(trades, share, equity, {count, least, min_equity, 0, 0});
        });
  m.def("us_day_trading_power",
        [](int64_t equity, int64_t margin, int32_t count, int64_t power, int64_t maintenance) {
          return us::day_trading_power(equity, margin, {count, 0, 0, power, maintenance});
        });
  m.def("us_luld", [](int64_t reference, int32_t minute, std::pair<int32_t, int32_t> hours, int64_t rate,
                      int64_t cap, std::pair<int32_t, int32_t> twice) {
    const auto bands =
        us::luld(reference, minute, hours.first, hours.second, {rate, cap, twice.first, twice.second});
    return std::pair(bands.lower, bands.upper);
  });
  m.def("us_market_halt",
        [](int64_t fall, int32_t minute, const Numbers& levels, int32_t minutes, int32_t not_after) {
          const auto halt = us::market_halt(fall, minute, us_halt_terms(levels, minutes, not_after));
          return std::pair(halt.level, halt.minutes);
        });
  m.def("us_on_tick", &us::on_tick);
  m.def("us_round_lot", [](int64_t price, const Numbers& up_to, const Numbers& lots) {
    return us::round_lot(price, up_to, lots);
  });
  m.def("us_price_test_triggered", &us::price_test_triggered);
  m.def("us_short_price_ok", &us::short_price_ok);
  m.def("us_initial_margin", [](int64_t price, int64_t quantity, const Numbers& terms) {
    return us::initial_margin(price, quantity, us_margin_terms(terms));
  });
  m.def("us_maintenance_margin", [](int64_t price, int64_t quantity, const Numbers& terms) {
    return us::maintenance_margin(price, quantity, us_margin_terms(terms));
  });
}

void bind_futures(nb::module_& m) {
  m.def("futures_notional", &futures::notional);
  m.def("futures_variation", &futures::variation);
  m.def("futures_fee", [](int64_t price, int64_t multiplier, int64_t quantity, uint8_t offset,
                          const Numbers& terms, int64_t unit) {
    if (terms.size() != 6 || offset > 3) throw nb::value_error("fee terms have six numbers, offsets four");
    return futures::fee(price, multiplier, quantity, static_cast<futures::Offset>(offset),
                        {terms[0], terms[1], terms[2], terms[3], terms[4], terms[5]}, unit);
  });
  m.def("futures_close_lots",
        [](int64_t quantity, uint8_t offset, int64_t today, int64_t yesterday, bool explicit_today) {
          const auto closed = futures::close_lots(quantity, static_cast<futures::Offset>(offset), today,
                                                  yesterday, explicit_today);
          return std::pair(closed.today, closed.yesterday);
        });
  m.def("futures_price_limits", [](int64_t prev_settle, int64_t rate, int64_t tick) {
    const auto limits = futures::price_limits(prev_settle, rate, tick);
    return std::pair(limits.up, limits.down);
  });
  m.def("futures_margin", &futures::margin);
  m.def("futures_settlement_price", [](const Numbers& prices, const Numbers& volumes, int64_t tick) {
    if (prices.size() != volumes.size()) throw nb::value_error("prices and volumes have unequal lengths");
    return futures::settlement_price(prices, volumes, tick);
  });
  m.def("futures_final_settlement",
        [](const Numbers& values, int64_t tick) { return futures::final_settlement(values, tick); });
  m.def("futures_roll", [](Grid<int64_t> interest, int32_t confirm) {
    std::vector<int32_t> held(interest.shape(0));
    futures::roll({interest.data(), interest.size()}, interest.shape(1), confirm, held);
    return to_numpy(std::move(held));
  });
  m.def("option_seller_margin", [](uint8_t kind, int64_t settle, int64_t underlying, int64_t strike,
                                   int64_t unit, int64_t far, int64_t near) {
    return options::seller_margin(static_cast<options::Kind>(kind), settle, underlying, strike, unit,
                                  {far, near});
  });
}

std::vector<crypto::Bracket> brackets_of(const Numbers& floors, const Numbers& rates, const Numbers& cums) {
  if (floors.size() != rates.size() || floors.size() != cums.size())
    throw nb::value_error("brackets have unequal columns");
  std::vector<crypto::Bracket> found(floors.size());
  for (size_t k = 0; k < found.size(); ++k) found[k] = {floors[k], rates[k], cums[k]};
  return found;
}

void bind_filters(nb::module_& m) {
  using crypto::Filters;
  using crypto::OrderCheck;
  using crypto::Range;
  nb::class_<Range>(m, "CoinRange")
      .def(nb::init<>())
      .def(nb::init<int64_t, int64_t, int64_t>())
      .def_rw("min", &Range::min)
      .def_rw("max", &Range::max)
      .def_rw("step", &Range::step);
  nb::class_<Filters>(m, "CoinFilters",
                      "Filters of a symbol; core/market/crypto.py reads exchangeInfo into them.")
      .def(nb::init<>())
      .def_rw("present", &Filters::present)
      .def_rw("price", &Filters::price)
      .def_rw("lot", &Filters::lot)
      .def_rw("market_lot", &Filters::market_lot)
      .def_rw("percent_up", &Filters::percent_up)
      .def_rw("percent_down", &Filters::percent_down)
      .def_rw("percent_by_direction", &Filters::percent_by_direction)
      .def_rw("bid_up", &Filters::bid_up)
      .def_rw("bid_down", &Filters::bid_down)
      .def_rw("ask_up", &Filters::ask_up)
      .def_rw("ask_down", &Filters::ask_down)
      .def_rw("min_notional", &Filters::min_notional)
      .def_rw("max_notional", &Filters::max_notional)
      .def_rw("min_to_market", &Filters::min_to_market)
      .def_rw("max_to_market", &Filters::max_to_market)
      .def_rw("max_orders", &Filters::max_orders)
      .def_rw("max_algo_orders", &Filters::max_algo_orders)
      .def_rw("max_position", &Filters::max_position);
  nb::class_<OrderCheck>(m, "CoinOrder", "What the filters look at of an order.")
      .def(nb::init<>())
      .def_rw("buy", &OrderCheck::buy)
      .def_rw("market", &OrderCheck::market)
      .def_rw("algo", &OrderCheck::algo)
      .def_rw("price", &OrderCheck::price)
      .def_rw("quantity", &OrderCheck::quantity)
      .def_rw("price_rest", &OrderCheck::price_rest)
      .def_rw("quantity_rest", &OrderCheck::quantity_rest)
      .def_rw("average", &OrderCheck::average)
      .def_rw("open_orders", &OrderCheck::open_orders)
      .def_rw("open_algo_orders", &OrderCheck::open_algo_orders)
      .def_rw("position", &OrderCheck::position);
  m.def("coin_first_failure", [](const OrderCheck& order, const Filters& filters) {
    return static_cast<uint32_t>(crypto::first_failure(order, filters));
  });
}

void bind_crypto(nb::module_& m) {
  bind_filters(m);
  m.def("coin_notional", &crypto::notional);
  m.def("coin_fee", &crypto::fee);
  m.def("coin_funding_payment", &crypto::funding_payment);
  m.def("coin_funding_rate", [](int64_t premium, int64_t interest, int64_t clamp, int32_t hours,
                                std::pair<int64_t, int64_t> bounds) {
    return crypto::funding_rate(premium, {interest, clamp, hours, bounds.second, bounds.first});
  });
  m.def("coin_maintenance_margin",
        [](int64_t notional, const Numbers& floors, const Numbers& rates, const Numbers& cums) {
          return crypto::maintenance_margin(notional, brackets_of(floors, rates, cums));
        });
  m.def("coin_liquidation_price", [](int64_t quantity, int64_t entry, int64_t wallet, const Numbers& floors,
                                     const Numbers& rates, const Numbers& cums, int64_t unit) {
    const auto brackets = brackets_of(floors, rates, cums);
    return crypto::liquidation_price({quantity, entry, wallet}, brackets, unit);
  });
}

}  // namespace

void bind_rules_world(nb::module_& m) {
  bind_us(m);
  bind_futures(m);
  bind_crypto(m);
}

}  // namespace quant
