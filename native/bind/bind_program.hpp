#pragma once
#include <string>
#include <tuple>
#include <vector>

#include "quant/factor/program.hpp"

namespace quant {

// (operation, slots, parameter if it has one)
using Code = std::tuple<std::string, std::vector<int>, std::vector<double>>;

// Throws std::invalid_argument.
Instruction instruction_of(const Code& code);

}  // namespace quant
