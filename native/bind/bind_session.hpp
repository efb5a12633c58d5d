#pragma once
#include <nanobind/nanobind.h>

#include "quant/session/construct.hpp"

namespace quant {

// A ConstructConfig of native/config.py.
ConstructPlan read_plan(nanobind::handle plan);

}  // namespace quant
