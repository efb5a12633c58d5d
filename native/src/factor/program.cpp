#include "quant/factor/program.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace quant {
namespace {

[[noreturn]] void refuse(std::size_t slot, const std::string& why) {
  throw std::invalid_argument("instruction " + std::to_string(slot) + ": " + why);
}

void check_parameter(const Instruction& code, std::size_t slot, int columns) {
  const OpInfo& op = info(code.op);
  const bool whole = std::isfinite(code.param) && code.param == std::floor(code.param);
  switch (op.parameter) {
    case Parameter::none:
      return;
    case Parameter::value:
      if (!std::isfinite(code.param)) refuse(slot, "the constant is not finite");
      return;
    case Parameter::column:
      if (!whole || code.param < 0 || code.param >= columns) refuse(slot, "no such column");
      return;
    case Parameter::lag:
    case Parameter::window:
      if (!whole || code.param < op.least || code.param > kMaxWindow)
        refuse(slot, "the window is out of range");
      return;
  }
}

}  // namespace

std::size_t Instruction::valid_needed() const {
  const std::size_t half = (static_cast<std::size_t>(param) + 1) / 2;
  return std::max(half, static_cast<std::size_t>(info(op).least));
}

void FactorProgram::check() const {
  if (code.empty() || code.size() > kMaxInstructions)
    throw std::invalid_argument("a program has 1 to 512 instructions");
  if (output < 0 || output >= static_cast<int>(code.size()))
    throw std::invalid_argument("no such output slot");
  for (std::size_t slot = 0; slot < code.size(); ++slot) {
    for (int i = 0; i < code[slot].arity(); ++i) {
      const int arg = code[slot].args[static_cast<std::size_t>(i)];
      if (arg < 0 || arg >= static_cast<int>(slot)) refuse(slot, "reads a slot that is not computed yet");
    }
    check_parameter(code[slot], slot, columns);
  }
}

Op op_named(std::string_view name) {
  for (std::size_t i = 0; i < kOps.size(); ++i) {
    if (kOps[i].name == name) return static_cast<Op>(i);
  }
  throw std::invalid_argument("unknown operation '" + std::string(name) + "'");
}

}  // namespace quant
