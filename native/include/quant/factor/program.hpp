#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace quant {

// clang-format off
enum class Op : std::uint8_t {
  load, constant,
  neg, abs, log, sign, sqrt, logical_not,
  add, sub, mul, div, power, max2, min2,
  gt, ge, lt, le, eq, ne, logical_and, logical_or,
  where,
  ref, delta,
  mean, std, sum, min, max, rank, corr,
  cs_rank, cs_zscore,
};
// clang-format on

// What the single parameter of an operation is.
enum class Parameter : std::uint8_t { none, column, value, lag, window };

struct OpInfo {
  std::string_view name;
  int arity;
  Parameter parameter = Parameter::none;
  bool crosses = false;  // reads its row across instruments
  int least = 1;         // smallest lag or window
};

inline constexpr std::array kOps{
    OpInfo{"load", 0, Parameter::column},
    OpInfo{"const", 0, Parameter::value},
    OpInfo{"neg", 1},
    OpInfo{"abs", 1},
    OpInfo{"log", 1},
    OpInfo{"sign", 1},
    OpInfo{"sqrt", 1},
    OpInfo{"not", 1},
    OpInfo{"add", 2},
    OpInfo{"sub", 2},
    OpInfo{"mul", 2},
    OpInfo{"div", 2},
    OpInfo{"power", 2},
    OpInfo{"max2", 2},
    OpInfo{"min2", 2},
    OpInfo{"gt", 2},
    OpInfo{"ge", 2},
    OpInfo{"lt", 2},
    OpInfo{"le", 2},
    OpInfo{"eq", 2},
    OpInfo{"ne", 2},
    OpInfo{"and", 2},
    OpInfo{"or", 2},
    OpInfo{"where", 3},
    OpInfo{"ref", 1, Parameter::lag},
    OpInfo{"delta", 1, Parameter::lag},
    OpInfo{"mean", 1, Parameter::window},
    OpInfo{"std", 1, Parameter::window, false, 2},
    OpInfo{"sum", 1, Parameter::window},
    OpInfo{"min", 1, Parameter::window},
    OpInfo{"max", 1, Parameter::window},
    OpInfo{"rank", 1, Parameter::window},
    OpInfo{"corr", 2, Parameter::window, false, 2},
    OpInfo{"cs_rank", 1, Parameter::none, true},
    OpInfo{"cs_zscore", 1, Parameter::none, true},
};
static_assert(kOps.size() == static_cast<std::size_t>(Op::cs_zscore) + 1);

inline constexpr const OpInfo& info(Op op) { return kOps[static_cast<std::size_t>(op)]; }

inline constexpr int kMaxWindow = 2000;
inline constexpr int kMaxInstructions = 512;

struct Instruction {
  Op op;
  std::array<int, 3> args{};
  double param = 0.0;

  int arity() const { return info(op).arity; }
  // Sessions before its own row that the operation reads.
  int reach() const {
    if (info(op).parameter == Parameter::lag) return static_cast<int>(param);
    return info(op).parameter == Parameter::window ? static_cast<int>(param) - 1 : 0;
  }
  // Valid values a window needs.
  std::size_t valid_needed() const;
};

// A checked program: slots are read after they are written, columns and windows are in range.
struct FactorProgram {
  std::vector<Instruction> code;
  int output = 0;
  int columns = 0;

  // Throws std::invalid_argument.
  void check() const;
};

// Throws std::invalid_argument for an unknown name.
Op op_named(std::string_view name);

}  // namespace quant
