#include "bind_market.hpp"

#include "bind_kernel.hpp"

namespace quant {

namespace {

Market view_of(const Column<int32_t>& sessions, const Column<int32_t>& day, const Grid<int64_t>& instants,
               const MarketHandle::Prices& prices, const Grid<int64_t>& volume, const Grid<uint32_t>& flags) {
  Market market;
  market.T = static_cast<int32_t>(volume.shape(0));
  market.D = static_cast<int32_t>(flags.shape(0));
  market.S = static_cast<int32_t>(flags.shape(1));
  market.sessions = sessions.data();
  market.day = day.data();
  market.instants = instants.data();
  market.open = prices[0].data();
  market.high = prices[1].data();
  market.low = prices[2].data();
  market.close = prices[3].data();
  market.pre_close = prices[4].data();
  market.limit_up = prices[5].data();
  market.limit_down = prices[6].data();
  market.vwap = prices[7].data();
  market.volume = volume.data();
  market.flags = flags.data();
  return market;
}

}  // namespace

void bind_market(nb::module_& m) {
  using P = Grid<int64_t>;
  nb::class_<MarketHandle>(m, "Market", "A panel by reference; native/market.py checks and explains it.")
      .def(
          "__init__",
          [](MarketHandle* self, Column<int32_t> sessions, Column<int32_t> day, P instants, P open, P high,
             P low, P close, P pre_close, P limit_up, P limit_down, P vwap, P volume, Grid<uint32_t> flags,
             Column<int32_t> ex_index, Column<int32_t> pay_index, Column<int32_t> instrument,
             Column<int64_t> cash, Column<int64_t> ratio, Column<uint8_t>) {
            new (self) MarketHandle();
            self->prices = {open, high, low, close, pre_close, limit_up, limit_down, vwap};
            self->sessions = sessions;
            self->day = day;
            self->grids = {instants, volume};
            self->flags = flags;
            self->rows = {ex_index, pay_index, instrument};
            self->amounts = {cash, ratio};
            self->market = view_of(sessions, day, instants, self->prices, volume, flags);
            self->market.actions = {ex_index.shape(0), ex_index.data(), pay_index.data(),
                                    instrument.data(), cash.data(),     ratio.data()};
          },
          nb::arg("sessions").noconvert(), nb::arg("day").noconvert(), nb::arg("instants").noconvert(),
          nb::arg("open").noconvert(), nb::arg("high").noconvert(), nb::arg("low").noconvert(),
          nb::arg("close").noconvert(), nb::arg("pre_close").noconvert(), nb::arg("limit_up").noconvert(),
          nb::arg("limit_down").noconvert(), nb::arg("vwap").noconvert(), nb::arg("volume").noconvert(),
          nb::arg("flags").noconvert(), nb::arg("ex_index").noconvert(), nb::arg("pay_index").noconvert(),
          nb::arg("instrument").noconvert(), nb::arg("cash_per_share").noconvert(),
          nb::arg("bonus_ratio").noconvert(), nb::arg("inferred").noconvert());
}

}  // namespace quant
