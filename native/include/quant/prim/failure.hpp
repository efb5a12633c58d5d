#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace quant {

// What the binding turns into the Python error tree.
enum class FailureKind { kUsage, kConflict, kBroken };

// An error is data: a stable code and a sentence. kBroken means a bug of ours or a wrong book: stop.
class Failure : public std::runtime_error {
 public:
  Failure(FailureKind kind, std::string code, const std::string& message)
      : std::runtime_error(message), kind_(kind), code_(std::move(code)) {}
  FailureKind kind() const { return kind_; }
  const std::string& code() const { return code_; }

 private:
  FailureKind kind_;
  std::string code_;
};

[[noreturn]] inline void broken(const char* code, const std::string& message) {
  throw Failure(FailureKind::kBroken, code, message);
}

// A rate, a tick or a unit that divides: 0 or less is a wrong table or a wrong question, never a crash.
inline int64_t positive(int64_t value, const char* what) {
  if (value > 0) return value;
  throw Failure(FailureKind::kUsage, "rules.terms", std::string(what) + " must be above 0");
}

}  // namespace quant
