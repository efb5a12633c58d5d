#pragma once
#include <nanobind/nanobind.h>

// One bind_<part>.cpp per part; module.cpp calls them in this order.
namespace quant {
void bind_kernel(nanobind::module_& m);
void bind_rules(nanobind::module_& m);
void bind_factor(nanobind::module_& m);
void bind_metrics(nanobind::module_& m);
void bind_panel(nanobind::module_& m);
void bind_bars(nanobind::module_& m);
void bind_rules_world(nanobind::module_& m);
void bind_exchange(nanobind::module_& m);
void bind_exchange_bars(nanobind::module_& m);
void bind_exchange_ticks(nanobind::module_& m);
void bind_tick_run(nanobind::module_& m);
void bind_sweep(nanobind::module_& m);
}  // namespace quant
