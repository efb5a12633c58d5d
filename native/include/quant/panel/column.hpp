#pragma once
#include <cstdint>
#include <string>

#include "quant/panel/arrow.hpp"

// A column of an Arrow batch, read in place.
namespace quant::panel {

enum class Type : std::uint8_t { kBool, kInt32, kInt64, kFloat64, kDecimal128 };

struct Column {
  Type type{};
  int scale = 0;                           // decimals of kDecimal128
  const void* values = nullptr;            // from the first row on, but for kBool
  const std::uint8_t* validity = nullptr;  // a bit a row, null = no row is null
  std::int64_t offset = 0;                 // of the first bit

  bool valid(std::int64_t row) const { return validity == nullptr || bit_at(validity, row); }
  bool truth(std::int64_t row) const { return bit_at(static_cast<const std::uint8_t*>(values), row); }
  // Whether any of `count` truths from `row` on is set.
  bool any(std::int64_t row, std::int64_t count) const;
  bool bit_at(const std::uint8_t* bits, std::int64_t row) const {
    const std::int64_t at = offset + row;
    return (bits[at >> 3] >> (at & 7) & 1) != 0;
  }
};

// Child `index` of a struct batch. Throws Failure for one that is absent or of another type.
Column column_of(const ArrowSchema& schema, const ArrowArray& batch, int index);

}  // namespace quant::panel
