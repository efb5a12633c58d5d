#pragma once
#include <nanobind/nanobind.h>

#include "quant/kernel/kernel.hpp"

namespace quant {

nanobind::dict commands_to_columns(const Commands& commands);
nanobind::dict intents_to_columns(const std::vector<Intent>& intents);
std::vector<Intent> read_intents(const nanobind::dict& columns);
KernelConfig read_config(nanobind::handle config);

void bind_errors(nanobind::module_& m);
void bind_enums(nanobind::module_& m);
void bind_market(nanobind::module_& m);
void bind_kernel_class(nanobind::module_& m);
void bind_venue(nanobind::module_& m);
void bind_session(nanobind::module_& m);

}  // namespace quant
