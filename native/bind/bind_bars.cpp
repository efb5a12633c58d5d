#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <vector>

#include "bind.hpp"
#include "columns.hpp"
#include "quant/bars/clean.hpp"
#include "quant/bars/resample.hpp"

namespace nb = nanobind;

namespace quant {
namespace {

using bars::Bar;
using bars::i128;
using Ints = Column<std::int64_t>;
using Words = nb::ndarray<const std::int64_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;
using Bytes = Column<std::uint8_t>;
template <class T>
using Maybe = std::optional<T>;

static_assert(sizeof(i128) == 2 * sizeof(std::int64_t));

void expect(bool holds) {
  if (!holds) throw nb::value_error("columns have unequal lengths");
}

const i128* wide(const Maybe<Words>& column, std::size_t count) {
  if (!column) return nullptr;
  expect(column->shape(0) == count);
  if (reinterpret_cast<std::uintptr_t>(column->data()) % alignof(i128) != 0)
    throw nb::value_error("a column of decimals is not aligned");
  return reinterpret_cast<const i128*>(column->data());
}

const std::uint8_t* known(const Maybe<Bytes>& column, std::size_t count) {
  if (!column) return nullptr;
  expect(column->shape(0) == count);
  return column->data();
}

std::vector<bars::Segment> segments_of(const nb::dict& columns) {
  std::vector<bars::Segment> out(column_length(columns, "start"));
  take_column(columns, "start", out, &bars::Segment::start);
  take_column(columns, "end", out, &bars::Segment::end);
  take_column(columns, "from", out, &bars::Segment::from);
  take_column(columns, "till", out, &bars::Segment::till);
  take_column(columns, "part", out, &bars::Segment::part);
  take_column(columns, "session", out, &bars::Segment::session);
  return out;
}

nb::object words(const std::vector<Bar>& rows, i128 Bar::* member) {
  auto* owned = new std::vector<std::int64_t>(2 * rows.size());
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const i128 value = rows[k].*member;
    (*owned)[2 * k] = static_cast<std::int64_t>(static_cast<unsigned __int128>(value));
    (*owned)[2 * k + 1] = static_cast<std::int64_t>(value >> 64);
  }
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<std::int64_t>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, std::int64_t, nb::ndim<2>>(owned->data(), {rows.size(), 2}, owner));
}

nb::dict bars_resample(const Ints& ts, const Ints& open, const Ints& high, const Ints& low, const Ints& close,
                       const Maybe<Words>& volume, const Maybe<Words>& amount,
                       const Maybe<Bytes>& amount_known, const Maybe<Words>& interest,
                       const Maybe<Bytes>& interest_known, const std::vector<std::int64_t>& offsets,
                       const nb::dict& segments, std::int64_t length, bool right_closed, bool every_trade,
                       bool empty) {
  const std::size_t count = ts.shape(0);
  expect(open.shape(0) == count && high.shape(0) == count && low.shape(0) == count &&
         close.shape(0) == count);
  const bars::Rows all{static_cast<std::int64_t>(count),
                       ts.data(),
                       open.data(),
                       high.data(),
                       low.data(),
                       close.data(),
                       wide(volume, count),
                       wide(amount, count),
                       known(amount_known, count),
                       wide(interest, count),
                       known(interest_known, count)};
  const std::vector<bars::Segment> hours = segments_of(segments);
  const bars::How how{length, right_closed, every_trade, empty};
  std::vector<Bar> rows;
  std::vector<std::int64_t> outside, instrument;
  {
    const nb::gil_scoped_release free;
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
      const std::int64_t first = offsets[i], end = offsets[i + 1];
      if (first < 0 || end < first || end > static_cast<std::int64_t>(count))
        throw std::out_of_range("offsets must increase within the rows");
      bars::Rows part = all;
      part.count = end - first;
      const auto shift = [&](auto& column) {
        if (column != nullptr) column += first;
      };
      shift(part.ts), shift(part.open), shift(part.high), shift(part.low), shift(part.close);
      shift(part.volume), shift(part.amount), shift(part.amount_known), shift(part.interest);
      shift(part.interest_known);
      const bars::Resampled made = bars::resample(part, hours, how);
      rows.insert(rows.end(), made.bars.begin(), made.bars.end());
      instrument.insert(instrument.end(), made.bars.size(), static_cast<std::int64_t>(i));
      for (const std::int64_t k : made.outside) outside.push_back(first + k);
    }
  }
  nb::dict out;
  put_column(out, "session", rows, &Bar::session);
  put_column(out, "end", rows, &Bar::end);
  put_column(out, "open", rows, &Bar::open);
  put_column(out, "high", rows, &Bar::high);
  put_column(out, "low", rows, &Bar::low);
  put_column(out, "close", rows, &Bar::close);
  put_column(out, "rows", rows, &Bar::rows);
  put_column(out, "amount_known", rows,
             [](const Bar& b) { return static_cast<std::uint8_t>(b.amount_known); });
  put_column(out, "interest_known", rows,
             [](const Bar& b) { return static_cast<std::uint8_t>(b.interest_known); });
  out["volume"] = words(rows, &Bar::volume);
  out["amount"] = words(rows, &Bar::amount);
  out["interest"] = words(rows, &Bar::interest);
  out["instrument"] = to_numpy(std::move(instrument));
  out["outside"] = to_numpy(std::move(outside));
  return out;
}

nb::object tick_faults(const Ints& ts, const Ints& price, const Column<std::int32_t>& session,
                       const Maybe<Ints>& total, const Maybe<Ints>& low, const Maybe<Ints>& high,
                       std::int64_t jump) {
  const std::size_t count = ts.shape(0);
  const auto column = [&](const Maybe<Ints>& given) -> const std::int64_t* {
    if (!given) return nullptr;
    expect(given->shape(0) == count);
    return given->data();
  };
  expect(price.shape(0) == count && session.shape(0) == count);
  const bars::Ticks ticks{static_cast<std::int64_t>(count),
                          ts.data(),
                          price.data(),
                          column(total),
                          session.data(),
                          column(low),
                          column(high)};
  std::vector<std::uint8_t> faults(count);
  {
    const nb::gil_scoped_release free;
    bars::find_faults(ticks, jump, faults.data());
  }
  return to_numpy(std::move(faults));
}

}  // namespace

void bind_bars(nb::module_& m) {
  m.def("bars_resample", &bars_resample, nb::arg("ts"), nb::arg("open"), nb::arg("high"), nb::arg("low"),
        nb::arg("close"), nb::arg("volume").none(), nb::arg("amount").none(), nb::arg("amount_known").none(),
        nb::arg("interest").none(), nb::arg("interest_known").none(), nb::arg("offsets"), nb::arg("segments"),
        nb::arg("length"), nb::arg("right_closed"), nb::arg("every_trade"), nb::arg("empty"),
        "Rows of several instruments into bars; see quant.native.bars. The GIL is released.");
  m.def("tick_faults", &tick_faults, nb::arg("ts"), nb::arg("price"), nb::arg("session"),
        nb::arg("total").none(), nb::arg("low").none(), nb::arg("high").none(), nb::arg("jump"),
        "What is wrong with each tick; see quant.native.bars. The GIL is released.");
}

}  // namespace quant
