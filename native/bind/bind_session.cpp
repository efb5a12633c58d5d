#include <nanobind/stl/string.h>

#include <algorithm>
#include <functional>

#include "bind_kernel.hpp"
#include "bind_market.hpp"
#include "bind_venue.hpp"
#include "quant/prim/failure.hpp"
#include "quant/session/fused.hpp"

namespace quant {
namespace {

ConstructPlan read_plan(nb::handle plan) {
  ConstructPlan out;
  const auto method = nb::cast<std::string>(plan.attr("method"));
  out.method = method == "equal" ? Method::kEqual : method == "score" ? Method::kScore : Method::kThreshold;
  out.top = nb::cast<int32_t>(plan.attr("top"));
  const nb::object cap = plan.attr("max_weight"), turnover = plan.attr("turnover_cap");
  out.max_weight = cap.is_none() ? -1 : nb::cast<int64_t>(cap);
  out.cash_buffer = nb::cast<int64_t>(plan.attr("cash_buffer"));
  out.turnover_cap = turnover.is_none() ? -1 : nb::cast<int64_t>(turnover);
  return out;
}

void expect(bool holds, const char* message) {
  if (!holds) throw Failure(FailureKind::kUsage, "kernel.shape", message);
}

}  // namespace

void bind_session(nb::module_& m) {
  m.def(
      "construct",
      [](nb::handle plan, Column<double> scores, Column<bool> eligible, const Kernel& kernel) {
        const auto width = static_cast<size_t>(kernel.market().S);
        expect(scores.shape(0) == width && eligible.shape(0) == width, "scores and eligible must be [S]");
        return intents_to_columns(construct(read_plan(plan), scores.data(), eligible.data(), kernel));
      },
      nb::arg("plan"), nb::arg("scores").noconvert(), nb::arg("eligible").noconvert(), nb::arg("kernel"));
  m.def(
      "run_fused",
      [](Kernel& kernel, VenueHandle& venue, nb::handle plan, Grid<double> scores, Grid<bool> eligible,
         Column<int32_t> rows, int32_t first, int32_t last, bool before_close) {
        const size_t count = rows.shape(0), width = static_cast<size_t>(kernel.market().S);
        expect(scores.shape(0) == count && eligible.shape(0) == count && scores.shape(1) == width &&
                   eligible.shape(1) == width,
               "scores and eligible must be [R, S] for rows [R]");
        const int32_t* end = rows.data() + count;
        expect(std::adjacent_find(rows.data(), end, std::greater_equal<>()) == end, "rows must ascend");
        const Decisions decisions{static_cast<int32_t>(count), rows.data(), scores.data(), eligible.data()};
        const ConstructPlan construct_plan = read_plan(plan);
        nb::gil_scoped_release release;
        run_fused(kernel, venue.venue, construct_plan, decisions, first, last, before_close);
      },
      nb::arg("kernel"), nb::arg("venue"), nb::arg("plan"), nb::arg("scores").noconvert(),
      nb::arg("eligible").noconvert(), nb::arg("rows").noconvert(), nb::arg("first"), nb::arg("last"),
      nb::arg("before_close"));
}

}  // namespace quant
