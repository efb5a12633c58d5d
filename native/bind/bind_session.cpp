#include "bind_session.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "bind_kernel.hpp"
#include "bind_market.hpp"
#include "bind_venue.hpp"
#include "quant/prim/failure.hpp"
#include "quant/session/called.hpp"
#include "quant/session/fused.hpp"

namespace quant {

ConstructPlan read_plan(nb::handle plan) {
  ConstructPlan out;
  const auto method = nb::cast<std::string>(plan.attr("method"));
  out.method = method == "equal"   ? Method::kEqual
               : method == "score" ? Method::kScore
               : method == "fixed" ? Method::kFixed
                                   : Method::kThreshold;
  out.quantity = nb::cast<int64_t>(plan.attr("quantity"));
  out.top = nb::cast<int32_t>(plan.attr("top"));
  const nb::object cap = plan.attr("max_weight"), turnover = plan.attr("turnover_cap");
  out.max_weight = cap.is_none() ? -1 : nb::cast<int64_t>(cap);
  out.cash_buffer = nb::cast<int64_t>(plan.attr("cash_buffer"));
  out.turnover_cap = turnover.is_none() ? -1 : nb::cast<int64_t>(turnover);
  return out;
}

// Rows as Python keeps them: dicts of the columns that are not zero.
class RowReader {
 public:
  bool operator()(nb::handle given, std::vector<Intent>& out) const {
    if (given.is_none()) return false;
    if (nb::isinstance<nb::dict>(given)) {
      out = read_intents(nb::borrow<nb::dict>(given));
      return true;
    }
    for (nb::handle row : nb::cast<nb::list>(given)) {
      Intent& intent = out.emplace_back();
      take(row, instrument_, intent.instrument);
      take(row, kind_, intent.kind);
      take(row, weight_, intent.weight);
      take(row, quantity_, intent.quantity);
      take(row, side_, intent.side);
      take(row, price_, intent.price);
      take(row, tif_, intent.tif);
      take(row, tag_, intent.tag);
      take(row, order_kind_, intent.order_kind);
      take(row, stop_, intent.stop);
      take(row, order_id_, intent.order_id);
    }
    return true;
  }

 private:
  template <class T>
  static void take(nb::handle row, const nb::object& name, T& out) {
    PyObject* found = PyDict_GetItemWithError(row.ptr(), name.ptr());
    if (found != nullptr) {
      out = static_cast<T>(nb::cast<typename Plain<T>::Type>(nb::handle(found)));
    } else if (PyErr_Occurred() != nullptr) {
      nb::raise_python_error();
    }
  }

  nb::object instrument_ = nb::str("instrument"), kind_ = nb::str("kind"), weight_ = nb::str("weight"),
             quantity_ = nb::str("quantity"), side_ = nb::str("side"), price_ = nb::str("price"),
             tif_ = nb::str("tif"), tag_ = nb::str("tag"), order_kind_ = nb::str("order_kind"),
             stop_ = nb::str("stop"), order_id_ = nb::str("order_id");
};

namespace {

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
      "run_called",
      [](Kernel& kernel, VenueHandle& venue, const std::vector<int>& phases, bool decide_seen,
         std::optional<Column<uint8_t>> rows, const nb::callable& ask) {
        AskedAt at;
        at.decide_seen = decide_seen;
        for (const int phase : phases) at.phases.at(static_cast<size_t>(phase)) = true;
        if (rows.has_value()) {
          expect(rows->shape(0) == static_cast<size_t>(kernel.market().T), "rows must be [T]");
          at.rows = rows->data();
        }
        const RowReader read;
        run_called(kernel, venue.venue, at, [&](int32_t t, Phase phase, std::vector<Intent>& intents) {
          return read(ask(t, static_cast<int>(phase), kernel.now()), intents);
        });
      },
      nb::arg("kernel"), nb::arg("venue"), nb::arg("phases"), nb::arg("decide_seen"),
      nb::arg("rows").noconvert().none(), nb::arg("ask"));
  m.def(
      "run_fused",
      [](Kernel& kernel, VenueHandle& venue, nb::handle plan, Grid<double> scores,
         std::optional<Grid<bool>> eligible, Column<int32_t> rows, int32_t first, int32_t last,
         bool before_close) {
        const size_t count = rows.shape(0), width = static_cast<size_t>(kernel.market().S);
        const bool shaped = !eligible || (eligible->shape(0) == count && eligible->shape(1) == width);
        expect(shaped && scores.shape(0) == count && scores.shape(1) == width,
               "scores and eligible must be [R, S] for rows [R]");
        const int32_t* end = rows.data() + count;
        expect(std::adjacent_find(rows.data(), end, std::greater_equal<>()) == end, "rows must ascend");
        const Decisions decisions{static_cast<int32_t>(count), rows.data(), scores.data(),
                                  eligible ? eligible->data() : nullptr};
        const ConstructPlan construct_plan = read_plan(plan);
        nb::gil_scoped_release release;
        run_fused(kernel, venue.venue, construct_plan, decisions, first, last, before_close);
      },
      nb::arg("kernel"), nb::arg("venue"), nb::arg("plan"), nb::arg("scores").noconvert(),
      nb::arg("eligible").noconvert().none(), nb::arg("rows").noconvert(), nb::arg("first"), nb::arg("last"),
      nb::arg("before_close"));
}

}  // namespace quant
