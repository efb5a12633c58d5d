#include "quant/panel/column.hpp"

#include <charconv>
#include <cstring>
#include <string_view>

#include "quant/prim/failure.hpp"

namespace quant::panel {
namespace {

[[noreturn]] void refuse(const ArrowSchema& field) {
  throw Failure(FailureKind::kUsage, "panel.column",
                std::string("column ") + (field.name == nullptr ? "?" : field.name) +
                    " has a type that no matrix is made of: " + field.format);
}

// "d:precision,scale" or "d:precision,scale,128".
int decimal_scale(const ArrowSchema& field) {
  const std::string_view text(field.format);
  const std::size_t comma = text.find(',');
  const std::size_t next = text.find(',', comma + 1);
  const std::string_view width = next == std::string_view::npos ? "128" : text.substr(next + 1);
  int scale = 0;
  const std::string_view digits =
      text.substr(comma + 1, next == std::string_view::npos ? next : next - comma - 1);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), scale);
  if (comma == std::string_view::npos || width != "128" || parsed.ec != std::errc() || scale < 0 ||
      scale > 18)
    refuse(field);
  return scale;
}

Type type_of(const ArrowSchema& field) {
  const std::string_view text(field.format);
  if (text == "b") return Type::kBool;
  if (text == "i" || text == "tdD") return Type::kInt32;
  if (text == "l") return Type::kInt64;
  if (text == "g") return Type::kFloat64;
  if (text.starts_with("d:")) return Type::kDecimal128;
  refuse(field);
}

std::int64_t width_of(Type type) {
  switch (type) {
    case Type::kBool:
      return 0;
    case Type::kInt32:
      return 4;
    case Type::kDecimal128:
      return 16;
    default:
      return 8;
  }
}

}  // namespace

bool Column::any(std::int64_t row, std::int64_t count) const {
  const auto* bits = static_cast<const std::uint8_t*>(values);
  std::int64_t at = offset + row;
  const std::int64_t end = at + count;
  for (; at < end && (at & 7) != 0; ++at)
    if ((bits[at >> 3] >> (at & 7) & 1) != 0) return true;
  for (; at + 8 <= end; at += 8)
    if (bits[at >> 3] != 0) return true;
  for (; at < end; ++at)
    if ((bits[at >> 3] >> (at & 7) & 1) != 0) return true;
  return false;
}

Column column_of(const ArrowSchema& schema, const ArrowArray& batch, int index) {
  if (index < 0 || index >= schema.n_children || index >= batch.n_children)
    throw Failure(FailureKind::kUsage, "panel.column", "a target names a column that is not there");
  const ArrowSchema& field = *schema.children[index];
  const ArrowArray& child = *batch.children[index];
  Column out;
  out.type = type_of(field);
  if (out.type == Type::kDecimal128) out.scale = decimal_scale(field);
  out.offset = batch.offset + child.offset;
  if (child.n_buffers != 2 || child.length < batch.offset + batch.length) refuse(field);
  const auto* bytes = static_cast<const std::uint8_t*>(child.buffers[1]);
  out.values = out.type == Type::kBool ? bytes : bytes + out.offset * width_of(out.type);
  if (child.null_count != 0) out.validity = static_cast<const std::uint8_t*>(child.buffers[0]);
  return out;
}

}  // namespace quant::panel
