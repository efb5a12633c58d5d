#pragma once
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "quant/prim/failure.hpp"
#include "quant/prim/sha256.hpp"

// Snapshots: every state struct lists its fields once in `fields(archive)`, which both writes and reads.
// Scalars are little endian at their own width, vectors and strings have a 64-bit count before them.
namespace quant {

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

namespace detail {
template <Scalar T>
auto to_bits(T value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<std::make_unsigned_t<std::underlying_type_t<T>>>(value);
  } else if constexpr (std::same_as<T, bool>) {
    return static_cast<uint8_t>(value);
  } else {
    static_assert(std::is_integral_v<T>, "state holds integers only");
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}

// Little endian, from `to` on; the end of it.
template <Scalar T>
char* lay_out(char* to, T value) {
  const auto bits = to_bits(value);
  for (size_t i = 0; i < sizeof(bits); ++i) *to++ = static_cast<char>(bits >> (8 * i));
  return to;
}
}  // namespace detail

class Writer {
 public:
  template <class... T>
  void operator()(const T&... values) {
    if (muted_) return;
    if constexpr ((Scalar<T> && ...)) {
      char raw[(sizeof(detail::to_bits(values)) + ...)];
      char* to = raw;
      ((to = detail::lay_out(to, values)), ...);
      bytes_.append(raw, sizeof(raw));
    } else {
      (put(values), ...);
    }
  }
  const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }
  void mute(bool muted) { muted_ = muted; }  // writes nothing at all
  void assign(std::string bytes) { bytes_ = std::move(bytes); }

  template <Scalar T>
  void put(T value) {
    char raw[sizeof(detail::to_bits(value))];
    detail::lay_out(raw, value);
    bytes_.append(raw, sizeof(raw));
  }
  void put(const Digest& digest) {
    bytes_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  void put(const std::string& text) {
    put(static_cast<uint64_t>(text.size()));
    bytes_ += text;
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put(static_cast<uint64_t>(values.size()));
    for (const T& value : values) put(value);
  }
  template <class T>
    requires requires(T& value, Writer& w) { value.fields(w); }
  void put(const T& value) {
    const_cast<T&>(value).fields(*this);
  }

 private:
  std::string bytes_;
  bool muted_ = false;
};

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  bool exhausted() const { return at_ == bytes_.size(); }

  template <Scalar T>
  void get(T& value) {
    using Bits = decltype(detail::to_bits(value));
    need(sizeof(Bits));
    Bits bits = 0;
    for (size_t i = 0; i < sizeof(Bits); ++i) {
      bits = static_cast<Bits>(bits | static_cast<Bits>(static_cast<uint8_t>(bytes_[at_ + i])) << (8 * i));
    }
    at_ += sizeof(Bits);
    value = static_cast<T>(bits);
  }
  void get(Digest& digest) {
    need(digest.size());
    std::memcpy(digest.data(), bytes_.data() + at_, digest.size());
    at_ += digest.size();
  }
  void get(std::string& text) {
    const uint64_t size = count(1);
    text.assign(bytes_, at_, size);
    at_ += size;
  }
  template <class T>
  void get(std::vector<T>& values) {
    const uint64_t size = count(1);
    values.clear();
    for (uint64_t k = 0; k < size; ++k) get(values.emplace_back());  // a wrong count ends where the bytes end
  }
  template <class T>
    requires requires(T& value, Reader& r) { value.fields(r); }
  void get(T& value) {
    value.fields(*this);
  }

 private:
  uint64_t count(uint64_t least) {
    uint64_t size = 0;
    get(size);
    if (size > (bytes_.size() - at_) / least) need(bytes_.size());
    return size;
  }
  void need(size_t size) const {
    if (bytes_.size() - at_ < size || at_ + size > bytes_.size()) {
      throw Failure(FailureKind::kConflict, "snapshot.short", "the snapshot is cut short");
    }
  }
  const std::string& bytes_;
  size_t at_ = 0;
};

}  // namespace quant
