#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "bind.hpp"
#include "bind_exchange.hpp"
#include "quant/session/tick_run.hpp"

namespace quant {
namespace {

TickPlan read_tick_plan(nb::handle plan) {
  TickPlan out;
  const auto method = nb::cast<std::string>(plan.attr("method"));
  out.method = method == "imbalance" ? TickMethod::kImbalance : TickMethod::kQuote;
  out.quantity = nb::cast<int64_t>(plan.attr("quantity"));
  out.feed_latency = nb::cast<int64_t>(plan.attr("feed_latency"));
  if (out.method == TickMethod::kImbalance) {
    out.enter = nb::cast<int64_t>(plan.attr("enter"));
    out.leave = nb::cast<int64_t>(plan.attr("leave"));
  } else {
    out.edge = nb::cast<int64_t>(plan.attr("edge"));
    out.most = nb::cast<int64_t>(plan.attr("most"));
  }
  return out;
}

}  // namespace

void bind_tick_run(nb::module_& m) {
  m.def(
      "run_ticks",
      [](Kernel& kernel, TickVenue& venue, const TicksHandle& ticks, nb::handle plan,
         const std::vector<int64_t>& bounds) {
        const TickPlan given = read_tick_plan(plan);
        nb::gil_scoped_release release;
        run_ticks(kernel, venue, ticks.ticks, given, bounds);
      },
      nb::arg("kernel"), nb::arg("venue"), nb::arg("ticks"), nb::arg("plan"), nb::arg("bounds"));
}

}  // namespace quant
