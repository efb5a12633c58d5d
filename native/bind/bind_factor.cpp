#include "bind.hpp"

namespace quant {
void bind_factor(nanobind::module_&) {}
}  // namespace quant
