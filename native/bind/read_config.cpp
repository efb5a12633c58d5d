#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "bind_kernel.hpp"
#include "columns.hpp"

namespace quant {
namespace {

template <class Rule>
DatedTable<Rule> read_table(nb::handle tables,
                            std::initializer_list<std::pair<const char*, int64_t Rule::*>> members) {
  DatedTable<Rule> table;
  for (const auto& [name, member] : members) {
    const auto grid = nb::cast<Grid<int64_t>>(tables.attr(name), false);
    if (table.rows.empty()) {
      table.sessions = static_cast<int32_t>(grid.shape(0));
      table.boards = static_cast<uint32_t>(grid.shape(1));
      table.rows.resize(grid.size());
    }
    if (grid.size() != table.rows.size()) throw nb::value_error("rule tables have unequal shapes");
    for (size_t k = 0; k < grid.size(); ++k) table.rows[k].*member = grid.data()[k];
  }
  return table;
}

int64_t optional(nb::handle owner, const char* name) {
  const nb::object value = owner.attr(name);
  return value.is_none() ? -1 : nb::cast<int64_t>(value);
}

RiskLimits read_limits(nb::handle risk) {
  return {optional(risk, "single_name"),        optional(risk, "gross"),
          optional(risk, "cash_min"),           optional(risk, "order_value_max"),
          optional(risk, "order_quantity_max"), optional(risk, "daily_loss"),
          optional(risk, "max_drawdown")};
}

FillRule read_fill(nb::handle config) {
  FillRule fill;
  const auto at = nb::cast<std::string>(config.attr("fill_at"));
  fill.at = at == "open"    ? FillAt::kOpen
            : at == "close" ? FillAt::kClose
            : at == "vwap"  ? FillAt::kVwap
                            : FillAt::kWorst;
  fill.by_target = nb::cast<std::string>(config.attr("locked")) == "by_target";
  fill.participation = optional(config, "participation");
  fill.slippage.rate = nb::cast<int64_t>(config.attr("slippage_rate"));
  fill.slippage.eta = nb::cast<int64_t>(config.attr("impact"));
  fill.touch = nb::cast<bool>(config.attr("fill_on_touch"));
  fill.slippage.units =
      nb::cast<int64_t>(config.attr("slippage_ticks")) * nb::cast<int64_t>(config.attr("tick"));
  return fill;
}

}  // namespace

KernelConfig read_config(nb::handle config) {
  KernelConfig out;
  out.cash = nb::cast<int64_t>(config.attr("cash_micro"));
  out.fill = read_fill(config);
  const auto policy = nb::cast<std::string>(config.attr("on_insufficient_cash"));
  out.on_insufficient_cash = policy == "reduce"   ? CashPolicy::kReduce
                             : policy == "reject" ? CashPolicy::kReject
                                                  : CashPolicy::kOverdraft;
  out.protection = nb::cast<int64_t>(config.attr("protection"));
  out.rounding = nb::cast<std::string>(config.attr("rounding")) == "cent" ? 10'000 : 1;
  out.limits = read_limits(config.attr("risk"));
  using L = LotRule;
  out.lots = read_table<L>(config.attr("rules"), {{"buy_min", &L::buy_min},
                                                  {"buy_step", &L::buy_step},
                                                  {"sell_step", &L::sell_step},
                                                  {"odd_lot_sell", &L::odd_lot_sell},
                                                  {"max_order", &L::max_order},
                                                  {"settlement_days", &L::settlement_days},
                                                  {"bonus_days", &L::bonus_days}});
  for (const L& rule : out.lots.rows) {
    if (rule.buy_step < 1 || rule.sell_step < 1) throw nb::value_error("lot steps must be at least 1");
  }
  using F = FeeRule;
  out.fees = read_table<F>(config.attr("fees"), {{"commission", &F::commission},
                                                 {"stamp_buy", &F::stamp_buy},
                                                 {"stamp_sell", &F::stamp_sell},
                                                 {"transfer", &F::transfer},
                                                 {"commission_min", &F::commission_min},
                                                 {"transfer_per_share", &F::transfer_per_share}});
  using D = DividendTaxRule;
  if (const nb::object tax = config.attr("dividend_tax"); !tax.is_none()) {
    out.dividend_tax = read_table<D>(
        tax, {{"upto_month", &D::upto_month}, {"upto_year", &D::upto_year}, {"beyond", &D::beyond}});
  }
  for (const nb::handle item : config.attr("forbidden")) out.forbidden.push_back(nb::cast<int32_t>(item));
  return out;
}

}  // namespace quant
