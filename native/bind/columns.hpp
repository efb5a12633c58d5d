#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// Rows in C++ are columns in Python: dicts of one-dimensional numpy arrays.
namespace quant {

namespace nb = nanobind;

template <class T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Grid = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class T>
struct Plain {
  using Type = T;
};
template <class T>
  requires std::is_enum_v<T>
struct Plain<T> {
  using Type = std::underlying_type_t<T>;
};

template <class T>
nb::object to_numpy(std::vector<T> values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<1>>(owned->data(), {owned->size()}, owner));
}

// out[name] = the member (or the result of the function) of every row.
template <class Row, class Get>
void put_column(nb::dict& out, const char* name, const std::vector<Row>& rows, Get get) {
  using Raw = std::remove_cvref_t<std::invoke_result_t<Get, const Row&>>;
  std::vector<typename Plain<Raw>::Type> values;
  values.reserve(rows.size());
  for (const Row& row : rows) values.push_back(static_cast<typename Plain<Raw>::Type>(std::invoke(get, row)));
  out[name] = to_numpy(std::move(values));
}

// Fills a member of every row from columns[name].
template <class Row, class T>
void take_column(const nb::dict& columns, const char* name, std::vector<Row>& rows, T Row::* member) {
  const auto column = nb::cast<Column<typename Plain<T>::Type>>(columns[name], false);
  if (column.shape(0) != rows.size()) throw nb::value_error("columns have unequal lengths");
  for (size_t k = 0; k < rows.size(); ++k) rows[k].*member = static_cast<T>(column.data()[k]);
}

inline size_t column_length(const nb::dict& columns, const char* name) {
  return nb::len(nb::object(columns[name]));
}

}  // namespace quant
