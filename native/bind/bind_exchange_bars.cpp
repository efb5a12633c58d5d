#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <tuple>

#include "bind.hpp"
#include "quant/market/slippage.hpp"
#include "quant/sim/bar_match.hpp"

namespace quant {

namespace nb = nanobind;

void bind_exchange_bars(nb::module_& m) {
  m.def(
      "match_bar",
      [](const std::array<int64_t, 8>& bar, bool opens, bool closes, int8_t side, int kind, int64_t price,
         int64_t stop, bool triggered, bool immediate, int at, bool touch) {
        const Bar given{bar[0], bar[1], bar[2], bar[3], bar[4], bar[5], bar[6], bar[7], opens, closes};
        const BarOrder order{side, static_cast<OrderKind>(kind), price, stop, triggered, immediate};
        const BarMatch found = match_bar(given, order, static_cast<BarAt>(at), touch);
        return std::make_tuple(found.price, static_cast<int>(found.phase), found.taker, found.triggered,
                               static_cast<int>(found.reason));
      },
      nb::arg("bar"), nb::arg("opens"), nb::arg("closes"), nb::arg("side"), nb::arg("kind"), nb::arg("price"),
      nb::arg("stop"), nb::arg("triggered"), nb::arg("immediate"), nb::arg("at"), nb::arg("touch"));
  m.def(
      "slipped",
      [](int64_t price, int8_t side, int64_t quantity, int64_t volume, int64_t units, int64_t rate,
         int64_t eta) { return slipped(price, side, quantity, volume, {units, rate, eta}); },
      nb::arg("price"), nb::arg("side"), nb::arg("quantity"), nb::arg("volume"), nb::arg("units"),
      nb::arg("rate"), nb::arg("eta"));
  m.def("square_root", &square_root);
}

}  // namespace quant
