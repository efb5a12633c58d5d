#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <optional>
#include <string>

#include "bind.hpp"
#include "quant/metrics/performance.hpp"

namespace nb = nanobind;

namespace quant {
namespace {

using metrics::Table;
using metrics::Terms;
using metrics::Work;
using Input = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Line = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Starts = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Isa = std::optional<std::string>;

Table table(const Input& in) {
  return {in.data(), static_cast<std::int64_t>(in.shape(0)), static_cast<std::int64_t>(in.shape(1))};
}

void expect(const Output& out, std::size_t rows, std::size_t columns) {
  if (out.shape(0) != rows || out.shape(1) != columns)
    throw nb::value_error("result array has the wrong shape");
}

Work work(int threads, const Isa& isa) {
  const metrics::Passes* passes = metrics::passes(isa ? isa->c_str() : nullptr);
  if (passes == nullptr) throw nb::value_error("instruction set not available on this machine");
  if (threads < 1) throw nb::value_error("threads must be at least 1");
  return {passes, threads};
}

template <std::size_t N>
nb::tuple names(const char* const (&list)[N]) {
  nb::list out;
  for (const char* name : list) out.append(name);
  return nb::tuple(out);
}

void performance(const Input& returns, double periods, double risk_free, double tail, int threads,
                 const Isa& isa, const Output& out) {
  expect(out, metrics::kPerformanceRows, returns.shape(1));
  const Work how = work(threads, isa);
  const nb::gil_scoped_release free;
  metrics::performance(table(returns), Terms{periods, risk_free, tail}, how, out.data());
}

void drawdowns(const Input& returns, int threads, const Isa& isa, const Output& out) {
  expect(out, returns.shape(0), returns.shape(1));
  const Work how = work(threads, isa);
  const nb::gil_scoped_release free;
  metrics::drawdown_series(table(returns), how, out.data());
}

void rolling_sharpe(const Input& returns, std::int64_t window, double periods, double risk_free, int threads,
                    const Isa& isa, const Output& out) {
  expect(out, returns.shape(0), returns.shape(1));
  if (window < 2) throw nb::value_error("window must be at least 2");
  const Work how = work(threads, isa);
  const nb::gil_scoped_release free;
  metrics::rolling_sharpe(table(returns), window, Terms{periods, risk_free, 0.0}, how, out.data());
}

void compound(const Input& returns, const Starts& starts, int threads, const Isa& isa, const Output& out) {
  expect(out, starts.shape(0), returns.shape(1));
  std::int64_t before = -1;
  for (std::size_t p = 0; p < starts.shape(0); ++p) {
    if (starts(p) <= before) throw nb::value_error("starts must increase");
    before = starts(p);
  }
  if (before >= static_cast<std::int64_t>(returns.shape(0)))
    throw nb::value_error("a start lies past the last row");
  const Work how = work(threads, isa);
  const nb::gil_scoped_release free;
  metrics::compound(table(returns), starts.data(), static_cast<std::int64_t>(starts.shape(0)), how,
                    out.data());
}

void relative(const Input& returns, const Line& benchmark, double periods, double risk_free,
              const Output& out) {
  expect(out, metrics::kRelativeRows, returns.shape(1));
  if (benchmark.shape(0) != returns.shape(0))
    throw nb::value_error("benchmark must have a value for every row");
  const nb::gil_scoped_release free;
  metrics::relative(table(returns), benchmark.data(), Terms{periods, risk_free, 0.0}, out.data());
}

void turnover(const Input& traded, double periods, const Output& out) {
  expect(out, metrics::kTurnoverRows, traded.shape(1));
  const nb::gil_scoped_release free;
  metrics::turnover(table(traded), periods, out.data());
}

}  // namespace

void bind_metrics(nb::module_& m) {
  m.attr("PERFORMANCE_NAMES") = names(metrics::kPerformance);
  m.attr("RELATIVE_NAMES") = names(metrics::kRelative);
  m.attr("TURNOVER_NAMES") = names(metrics::kTurnover);
  m.def("metrics_performance", &performance);
  m.def("metrics_drawdowns", &drawdowns);
  m.def("metrics_rolling_sharpe", &rolling_sharpe);
  m.def("metrics_compound", &compound);
  m.def("metrics_relative", &relative);
  m.def("metrics_turnover", &turnover);
}

}  // namespace quant
