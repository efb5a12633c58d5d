#include <nanobind/nanobind.h>

#include "bind.hpp"

namespace nb = nanobind;

NB_MODULE(_native, m) {
  m.doc() = "The C++20 core of quant.";
  quant::bind_kernel(m);
  quant::bind_rules(m);
  quant::bind_factor(m);
  quant::bind_metrics(m);
  quant::bind_panel(m);
  quant::bind_bars(m);
  quant::bind_rules_world(m);
  quant::bind_exchange(m);
  quant::bind_exchange_bars(m);
  quant::bind_exchange_ticks(m);
  quant::bind_tick_run(m);
  quant::bind_sweep(m);
}
