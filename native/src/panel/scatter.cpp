#include "quant/panel/scatter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/panel/column.hpp"
#include "quant/panel/positions.hpp"
#include "quant/prim/failure.hpp"

namespace quant::panel {
namespace {

using i128 = __int128;
// Instruments that are written side by side: two cache lines of a matrix row.
constexpr std::int64_t kWide = 16;

[[noreturn]] void too_wide() { broken("panel.overflow", "a number of the table is beyond 64 bits"); }

std::int64_t power_of_ten(int digits) {
  std::int64_t out = 1;
  while (digits-- > 0) out *= 10;
  return out;
}

// How numbers of a column become integers at the scale of the matrices.
struct Rescale {
  std::int64_t multiply = 1;
  std::int64_t divide = 1;

  Rescale(int from, int to) {
    if (to >= from)
      multiply = power_of_ten(to - from);
    else
      divide = power_of_ten(from - to);
  }

  std::int64_t operator()(i128 value) const {
    value *= multiply;
    if (divide != 1) value = (value + (value < 0 ? -divide / 2 : divide / 2)) / divide;
    const auto narrow = static_cast<std::int64_t>(value);
    if (narrow != value) too_wide();
    return narrow;
  }
};

template <class T>
T value_at(const Column& column, std::int64_t row) {
  return static_cast<const T*>(column.values)[row];
}

// put(out[cell], row) for the rows of a block that are on the axes. What the loop needs is held in locals:
// matrices may alias everything that lies in memory.
template <class T, class Put>
void visit(const Block& block, T* out, Put&& put) {
  const std::int64_t first = block.first, count = block.count, wide = block.instruments;
  const std::int64_t* const cells = block.cells;
  if (wide == 0) {
    for (std::int64_t k = 0; k < count; ++k)
      if (cells[k] >= 0) put(out[cells[k]], first + k);
    return;
  }
  for (std::int64_t t = 0; t < count; ++t) {
    T* const here = out + cells[t];
    const std::int64_t row = first + t;
    for (std::int64_t j = 0; j < wide; ++j) put(here[j], row + j * count);
  }
}

// out[cell] = get(row).
template <class T, class Get>
void assign(const Block& block, T* out, Get get) {
  visit(block, out, [get](T& cell, std::int64_t row) { cell = get(row); });
}

// The same where nulls are zero.
template <class T, class Get>
void assign_valid(const Block& block, const Column& column, T* out, Get get) {
  if (column.validity == nullptr)
    assign(block, out, get);
  else
    assign(block, out, [&](std::int64_t row) { return column.valid(row) ? get(row) : T{0}; });
}

// out[cell] |= get(row).
template <class Get>
void add_bits(const Block& block, std::uint32_t* out, Get get) {
  visit(block, out, [get](std::uint32_t& cell, std::int64_t row) { cell |= get(row); });
}

// out[cell] = get(low half of a decimal, row), 0 where it is null; numbers beyond 64 bits are refused at the
// end.
template <bool kNulls, class Get>
void assign_low(const Block& block, const Column& decimals, std::int64_t* out, Get get) {
  const auto* const halves = static_cast<const std::int64_t*>(decimals.values);
  const Column column = decimals;
  const std::int64_t first = block.first, count = block.count, wide = block.instruments;
  const std::int64_t* const cells = block.cells;
  const auto place = [&](std::int64_t& cell, std::int64_t row, std::int64_t high) {
    if (kNulls && !column.valid(row)) {
      cell = 0;
      return high;
    }
    const std::int64_t low = halves[2 * row], top = halves[2 * row + 1];
    cell = get(low, row);
    return high | (top ^ (low >> 63));
  };
  std::int64_t beyond = 0;  // any bit set = some number does not fit
  if (wide == 0) {
    for (std::int64_t k = 0; k < count; ++k)
      if (cells[k] >= 0) beyond = place(out[cells[k]], first + k, beyond);
  } else {
    for (std::int64_t t = 0; t < count; ++t) {
      std::int64_t* const here = out + cells[t];
      const std::int64_t row = first + t;
      for (std::int64_t j = 0; j < wide; ++j) beyond = place(here[j], row + j * count, beyond);
    }
  }
  if (beyond != 0) too_wide();
}

std::int64_t integer_at(const Column& column, std::int64_t row, const Rescale& rescale) {
  return column.type == Type::kDecimal128 ? rescale(value_at<i128>(column, row))
                                          : rescale(value_at<std::int64_t>(column, row));
}

void put_integers(const Block& block, const Column& column, int digits, std::int64_t* out) {
  const Rescale rescale(column.scale, column.type == Type::kDecimal128 ? digits : 0);
  if (column.type == Type::kDecimal128 && column.scale == digits) {
    const auto same = [](std::int64_t low, std::int64_t) { return low; };
    if (column.validity == nullptr)
      assign_low<false>(block, column, out, same);
    else
      assign_low<true>(block, column, out, same);
  } else if (column.type == Type::kInt64) {
    const auto* values = static_cast<const std::int64_t*>(column.values);
    assign_valid(block, column, out, [&](std::int64_t row) { return values[row]; });
  } else {
    assign_valid(block, column, out, [&](std::int64_t row) { return integer_at(column, row, rescale); });
  }
}

void put_reals(const Block& block, const Column& column, double* out) {
  if (column.type == Type::kFloat64) {
    const auto* values = static_cast<const double*>(column.values);
    assign_valid(block, column, out, [&](std::int64_t row) { return values[row]; });
  } else if (column.type == Type::kInt64) {
    const auto* values = static_cast<const std::int64_t*>(column.values);
    assign_valid(block, column, out, [&](std::int64_t row) { return static_cast<double>(values[row]); });
  } else {
    const auto scale = static_cast<double>(power_of_ten(column.scale));
    const Rescale same(0, 0);
    assign_valid(block, column, out, [&](std::int64_t row) {
      return static_cast<double>(same(value_at<i128>(column, row))) / scale;
    });
  }
}

// (money + shares / 2) / shares. The quotient of doubles floors right while money < 2^53: it errs by less
// than 1 / shares, the least distance of a fraction from the next whole number.
std::int64_t quotient(std::int64_t money, std::int64_t shares) {
  if (shares <= 0) return 0;
  const std::int64_t rounded = money + shares / 2;
  if (rounded < (std::int64_t{1} << 53) && rounded >= 0 && shares < (std::int64_t{1} << 53))
    return static_cast<std::int64_t>(static_cast<double>(rounded) / static_cast<double>(shares));
  return rounded / shares;
}

void put_quotients(const Block& block, const Column& money, const Column& shares, int digits,
                   std::int64_t* out) {
  const bool plain = money.type == Type::kDecimal128 && money.scale == digits && money.validity == nullptr &&
                     shares.type == Type::kInt64 && shares.validity == nullptr;
  if (plain) {
    const auto* const counts = static_cast<const std::int64_t*>(shares.values);
    assign_low<false>(block, money, out,
                      [counts](std::int64_t low, std::int64_t row) { return quotient(low, counts[row]); });
    return;
  }
  const Rescale cents(money.scale, money.type == Type::kDecimal128 ? digits : 0);
  const Rescale whole(shares.scale, 0);
  assign(block, out, [&](std::int64_t row) {
    if (!money.valid(row) || !shares.valid(row)) return std::int64_t{0};
    return quotient(integer_at(money, row, cents), integer_at(shares, row, whole));
  });
}

void put_flags(const Block& block, const Column& flags, const Target& target) {
  add_bits(block, static_cast<std::uint32_t*>(target.out), [&](std::int64_t row) {
    return !flags.valid(row) ? target.unknown : flags.truth(row) ? target.bit : 0u;
  });
}

void put_presence(const Block& block, const Column& volume, const Target& target) {
  auto* out = static_cast<std::uint32_t*>(target.out);
  const auto* traded = static_cast<const std::int64_t*>(volume.values);
  const std::uint32_t idle = target.bit, busy = target.bit | target.unknown;
  if (traded == nullptr)
    add_bits(block, out, [&](std::int64_t) { return idle; });
  else if (volume.validity == nullptr)
    add_bits(block, out, [&](std::int64_t row) { return traded[row] > 0 ? busy : idle; });
  else
    add_bits(block, out,
             [&](std::int64_t row) { return traded[row] > 0 && volume.valid(row) ? busy : idle; });
}

struct Source {
  Target target;
  Column column;
  Column other;
};

void expect(bool holds, const char* what) {
  if (!holds) throw Failure(FailureKind::kUsage, "panel.column", what);
}

bool is_number(Type type) { return type == Type::kInt64 || type == Type::kDecimal128; }

Source source_of(const ArrowSchema& schema, const ArrowArray& batch, const Target& target) {
  Source out{target, {}, {}};
  if (target.column >= 0) out.column = column_of(schema, batch, target.column);
  if (target.kind == Kind::kQuotient) out.other = column_of(schema, batch, target.other);
  const bool given = target.column >= 0;
  switch (target.kind) {
    case Kind::kInteger:
      expect(given && is_number(out.column.type), "an integer matrix needs whole numbers or decimals");
      break;
    case Kind::kReal:
      expect(given && (is_number(out.column.type) || out.column.type == Type::kFloat64),
             "a real matrix needs numbers");
      break;
    case Kind::kBits:
      expect(given && out.column.type == Type::kBool, "flags need a column of yes and no");
      break;
    case Kind::kPresent:
      expect(!given || out.column.type == Type::kInt64, "presence is told by whole numbers");
      break;
    case Kind::kQuotient:
      expect(given && is_number(out.column.type) && is_number(out.other.type),
             "a quotient needs two numbers");
      break;
  }
  return out;
}

void put_block(const Block& block, const Source& source, int digits) {
  const Target& target = source.target;
  switch (target.kind) {
    case Kind::kInteger:
      put_integers(block, source.column, digits, static_cast<std::int64_t*>(target.out));
      break;
    case Kind::kReal:
      put_reals(block, source.column, static_cast<double*>(target.out));
      break;
    case Kind::kQuotient:
      put_quotients(block, source.column, source.other, digits, static_cast<std::int64_t*>(target.out));
      break;
    case Kind::kPresent:
      put_presence(block, source.column, target);
      break;
    case Kind::kBits:
      put_flags(block, source.column, target);
      break;
  }
}

void put(const Placed& placed, std::int64_t first, const Source& source, int digits) {
  const Column& column = source.column;
  if (source.target.kind == Kind::kBits && column.validity == nullptr && !column.any(first, placed.rows))
    return;
  for (const Block& block : placed.blocks) put_block(block, source, digits);
}

}  // namespace

Missed scatter(const ArrowSchema& schema, std::span<const ArrowArray> batches, const Axes& axes,
               std::span<const Target> targets, int digits) {
  Positions positions(axes);
  Missed missed;
  for (const ArrowArray& batch : batches) {
    const Column ids = column_of(schema, batch, 0), days = column_of(schema, batch, 1);
    expect(ids.type == Type::kInt64 && days.type == Type::kInt32,
           "rows are placed by instrument_id and session");
    std::vector<Source> sources;
    for (const Target& target : targets) sources.push_back(source_of(schema, batch, target));
    for (std::int64_t first = 0; first < batch.length;) {
      const Placed placed = positions.place(ids, days, first, batch.length - first, kWide);
      // Column by column: few places of memory are read and written at a time.
      for (const Source& source : sources) put(placed, first, source, digits);
      first += placed.rows;
      missed.off += placed.missed.off;
      missed.strangers += placed.missed.strangers;
    }
  }
  return missed;
}

std::vector<std::int64_t> distinct(const ArrowSchema& schema, std::span<const ArrowArray> batches,
                                   std::int32_t first, std::int32_t last) {
  std::vector<std::int64_t> seen;
  std::size_t sorted = 0;
  const auto tidy = [&] {
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    sorted = seen.size();
  };
  for (const ArrowArray& batch : batches) {
    const Column ids = column_of(schema, batch, 0), days = column_of(schema, batch, 1);
    expect(ids.type == Type::kInt64 && days.type == Type::kInt32,
           "rows are placed by instrument_id and session");
    for (std::int64_t row = 0; row < batch.length; ++row) {
      const std::int64_t id = value_at<std::int64_t>(ids, row);
      if (!seen.empty() && id == seen.back()) continue;
      const std::int32_t day = value_at<std::int32_t>(days, row);
      if (day < first || day > last || !ids.valid(row) || !days.valid(row)) continue;
      seen.push_back(id);
      if (seen.size() > 2 * sorted + 65536) tidy();
    }
  }
  tidy();
  return seen;
}

void carry(double* cells, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t t = 1; t < rows; ++t) {
    const double* above = cells + (t - 1) * columns;
    double* here = cells + t * columns;
    for (std::int64_t s = 0; s < columns; ++s) here[s] = here[s] != 0.0 ? here[s] : above[s];
  }
}

}  // namespace quant::panel
