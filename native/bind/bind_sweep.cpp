#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "bind_kernel.hpp"
#include "bind_market.hpp"
#include "bind_program.hpp"
#include "bind_session.hpp"
#include "quant/session/sweep.hpp"

namespace quant {
namespace {

struct Placed {
  int32_t variant;
  int32_t row, instrument;
  int64_t ts, order_id;
  int8_t side;
  int64_t quantity, price, notional, commission, stamp, transfer;
  Reason reason;
};

nb::dict cells_to_columns(const SweepResult& result) {
  nb::dict out;
  put_column(out, "nav", result.cells, &SweepCell::nav);
  put_column(out, "fees", result.cells, &SweepCell::fees);
  put_column(out, "traded", result.cells, &SweepCell::traded);
  put_column(out, "fills", result.cells, &SweepCell::fills);
  return out;
}

nb::dict fills_to_columns(const SweepResult& result) {
  std::vector<Placed> rows;
  rows.reserve(result.fills.size());
  for (const SweepFill& placed : result.fills) {
    const Fill& f = placed.fill;
    rows.push_back({placed.variant, f.row, f.instrument, f.ts, f.order_id, f.side, f.quantity, f.price,
                    f.notional, f.commission, f.stamp, f.transfer, f.reason});
  }
  nb::dict out;
  put_column(out, "variant", rows, &Placed::variant);
  put_column(out, "row", rows, &Placed::row);
  put_column(out, "ts", rows, &Placed::ts);
  put_column(out, "order_id", rows, &Placed::order_id);
  put_column(out, "instrument", rows, &Placed::instrument);
  put_column(out, "side", rows, &Placed::side);
  put_column(out, "quantity", rows, &Placed::quantity);
  put_column(out, "price", rows, &Placed::price);
  put_column(out, "notional", rows, &Placed::notional);
  put_column(out, "commission", rows, &Placed::commission);
  put_column(out, "stamp", rows, &Placed::stamp);
  put_column(out, "transfer", rows, &Placed::transfer);
  put_column(out, "reason", rows, &Placed::reason);
  return out;
}

nb::tuple sweep(const MarketHandle& market, nb::handle config, nb::handle construct,
                const std::vector<Code>& code, int output, const Grid<double>& params,
                const std::vector<Grid<double>>& columns, const Column<int32_t>& rows,
                const Column<int32_t>& instruments, unsigned threads, const std::string& isa,
                bool before_close, bool fills, size_t memory_limit) {
  SweepPlan plan;
  for (const Code& line : code) plan.program.code.push_back(instruction_of(line));
  plan.program.output = output;
  plan.program.columns = static_cast<int>(columns.size());
  plan.program.check();
  plan.variants = params.shape(0);
  const auto T = static_cast<size_t>(market.market.T), S = static_cast<size_t>(market.market.S);
  FactorInput input;
  input.sessions = T;
  input.instruments = S;
  for (const Grid<double>& column : columns) {
    if (column.shape(0) != T || column.shape(1) != S) throw std::invalid_argument("columns must be [T, S]");
    input.columns.push_back(column.data());
  }
  if (params.shape(1) != code.size()) throw std::invalid_argument("params must be [variants, instructions]");
  plan.params.assign(params.data(), params.data() + params.size());
  const std::span<const int32_t> bars(rows.data(), rows.shape(0)),
      names(instruments.data(), instruments.shape(0));
  const auto outside = [](std::span<const int32_t> of, size_t end) {
    return std::any_of(of.begin(), of.end(),
                       [&](int32_t v) { return v < 0 || static_cast<size_t>(v) >= end; });
  };
  if (outside(bars, T) ||
      std::adjacent_find(bars.begin(), bars.end(), std::greater_equal<>()) != bars.end()) {
    throw std::invalid_argument("rows must ascend strictly and lie inside the market");
  }
  if (outside(names, S)) throw std::invalid_argument("an instrument lies outside the market");
  const KernelConfig kernel = read_config(config);
  const ConstructPlan targets = read_plan(construct);
  const SweepOptions options{threads, choose_isa(isa), before_close, fills, memory_limit};
  SweepResult result;
  try {
    nb::gil_scoped_release release;
    result = run_sweep(plan, {market.market, input, bars, names}, kernel, targets, options);
  } catch (const std::length_error& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
    throw nb::python_error();
  }
  return nb::make_tuple(cells_to_columns(result), fills_to_columns(result));
}

}  // namespace

void bind_sweep(nb::module_& m) {
  m.def("sweep", &sweep, nb::arg("market"), nb::arg("config"), nb::arg("construct"), nb::arg("code"),
        nb::arg("output"), nb::arg("params").noconvert(), nb::arg("columns").noconvert(),
        nb::arg("rows").noconvert(), nb::arg("instruments").noconvert(), nb::arg("threads"), nb::arg("isa"),
        nb::arg("before_close"), nb::arg("fills"), nb::arg("memory_limit"),
        "Every variant on every instrument; see quant.native.sweep.");
}

}  // namespace quant
