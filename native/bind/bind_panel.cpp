#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <vector>

#include "bind.hpp"
#include "columns.hpp"
#include "quant/panel/scatter.hpp"
#include "quant/prim/failure.hpp"

namespace nb = nanobind;

namespace quant {
namespace {

// The batches of a frame, borrowed through its Arrow stream and given back at the end.
class Batches {
 public:
  explicit Batches(const nb::object& frame) {
    const nb::object capsule = frame.attr("__arrow_c_stream__")();
    auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
    if (stream == nullptr) throw nb::python_error();
    if (stream->get_schema(stream, &schema_) != 0) fail(*stream);
    for (;;) {
      ArrowArray next{};
      if (stream->get_next(stream, &next) != 0) fail(*stream);
      if (next.release == nullptr) break;
      arrays_.push_back(next);
    }
  }
  ~Batches() { release(); }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  const ArrowSchema& schema() const { return schema_; }
  std::span<const ArrowArray> arrays() const { return arrays_; }

 private:
  void release() {
    for (ArrowArray& array : arrays_)
      if (array.release != nullptr) array.release(&array);
    if (schema_.release != nullptr) schema_.release(&schema_);
  }

  [[noreturn]] void fail(ArrowArrayStream& stream) {
    const char* said = stream.get_last_error(&stream);
    const std::string message = said == nullptr ? "the frame's stream failed" : said;
    release();
    throw Failure(FailureKind::kBroken, "panel.stream", message);
  }

  ArrowSchema schema_{};
  std::vector<ArrowArray> arrays_;
};

panel::Axes axes_of(const Column<std::int32_t>& days, const Column<std::int64_t>& ids) {
  return {{days.data(), days.shape(0)}, {ids.data(), ids.shape(0)}};
}

// (kind, column, other, matrix, bit, unknown)
panel::Target target_of(const nb::tuple& given, std::size_t sessions, std::size_t instruments) {
  using Matrix = nb::ndarray<nb::ndim<2>, nb::c_contig, nb::device::cpu>;
  const auto kind = static_cast<panel::Kind>(nb::cast<int>(given[0]));
  const auto matrix = nb::cast<Matrix>(given[3], false);
  if (matrix.shape(0) != sessions || matrix.shape(1) != instruments)
    throw nb::value_error("a matrix has the wrong shape");
  const bool integer = kind == panel::Kind::kInteger || kind == panel::Kind::kQuotient;
  const auto wanted = integer                      ? nb::dtype<std::int64_t>()
                      : kind == panel::Kind::kReal ? nb::dtype<double>()
                                                   : nb::dtype<std::uint32_t>();
  if (kind > panel::Kind::kQuotient || matrix.dtype() != wanted)
    throw nb::value_error("a matrix has the wrong type");
  return {kind,          nb::cast<int>(given[1]),           nb::cast<int>(given[2]),
          matrix.data(), nb::cast<std::uint32_t>(given[4]), nb::cast<std::uint32_t>(given[5])};
}

nb::tuple scatter(const nb::object& frame, const Column<std::int32_t>& days, const Column<std::int64_t>& ids,
                  const std::vector<nb::tuple>& targets, int digits) {
  std::vector<panel::Target> wanted;
  for (const nb::tuple& given : targets) wanted.push_back(target_of(given, days.shape(0), ids.shape(0)));
  const panel::Axes axes = axes_of(days, ids);
  Batches batches(frame);
  panel::Missed missed;
  {
    const nb::gil_scoped_release free;
    missed = panel::scatter(batches.schema(), batches.arrays(), axes, wanted, digits);
  }
  return nb::make_tuple(missed.off, missed.strangers);
}

nb::object distinct(const nb::object& frame, std::int32_t first, std::int32_t last) {
  Batches batches(frame);
  std::vector<std::int64_t> found;
  {
    const nb::gil_scoped_release free;
    found = panel::distinct(batches.schema(), batches.arrays(), first, last);
  }
  return to_numpy(std::move(found));
}

void carry(const nb::ndarray<double, nb::ndim<2>, nb::c_contig, nb::device::cpu>& cells) {
  const nb::gil_scoped_release free;
  panel::carry(cells.data(), static_cast<std::int64_t>(cells.shape(0)),
               static_cast<std::int64_t>(cells.shape(1)));
}

}  // namespace

void bind_panel(nb::module_& m) {
  m.def("panel_scatter", &scatter, nb::arg("frame"), nb::arg("days"), nb::arg("ids"), nb::arg("targets"),
        nb::arg("digits"), "Places rows into matrices; see quant.native.panel. The GIL is released.");
  m.def("panel_distinct", &distinct, nb::arg("frame"), nb::arg("first"), nb::arg("last"),
        "The ids of the frame's rows between two days, increasing.");
  m.def("panel_carry", &carry, nb::arg("cells"), "Fills zeros from above, in place.");
}

}  // namespace quant
