#include "bind_venue.hpp"

#include <nanobind/stl/pair.h>

#include "bind_kernel.hpp"
#include "bind_market.hpp"

namespace quant {
namespace {

Commands read_commands(const nb::dict& columns) {
  Commands rows(column_length(columns, "order_id"));
  take_column(columns, "order_id", rows, &Command::order_id);
  take_column(columns, "action", rows, &Command::action);
  take_column(columns, "instrument", rows, &Command::instrument);
  take_column(columns, "side", rows, &Command::side);
  take_column(columns, "quantity", rows, &Command::quantity);
  take_column(columns, "price", rows, &Command::price);
  take_column(columns, "tif", rows, &Command::tif);
  take_column(columns, "target", rows, &Command::target);
  take_column(columns, "kind", rows, &Command::kind);
  take_column(columns, "stop", rows, &Command::stop);
  take_column(columns, "protect", rows, &Command::protect);
  return rows;
}

nb::dict reports_to_columns(const std::vector<Report>& reports) {
  nb::dict out;
  put_column(out, "order_id", reports, &Report::order_id);
  put_column(out, "kind", reports, &Report::kind);
  put_column(out, "quantity", reports, &Report::quantity);
  put_column(out, "price", reports, &Report::price);
  put_column(out, "reason", reports, &Report::reason);
  return out;
}

}  // namespace

void bind_venue(nb::module_& m) {
  nb::class_<VenueHandle>(m, "SimVenue", "The simulated exchange; native/kernel.py is its typed facade.")
      .def(
          "__init__",
          [](VenueHandle* self, const MarketHandle& market, nb::handle config) {
            new (self) VenueHandle(market.market, read_config(config));
          },
          nb::keep_alive<1, 2>(), nb::arg("market"), nb::arg("config"))
      .def("submit",
           [](VenueHandle& self, const nb::dict& columns) { self.venue.submit(read_commands(columns)); })
      .def("poll",
           [](VenueHandle& self, int32_t t, int phase) {
             std::vector<Report> out;
             self.venue.poll(t, static_cast<Phase>(phase), out);
             return reports_to_columns(out);
           })
      .def("drain",
           [](VenueHandle& self) {
             std::vector<Report> out;
             self.venue.drain(out);
             return reports_to_columns(out);
           })
      .def_prop_ro("now",
                   [](const VenueHandle& self) {
                     return std::make_pair(self.venue.row(), static_cast<int>(self.venue.phase()));
                   })
      .def("open_state",
           [](const VenueHandle& self) {
             Commands rows;
             for (const Resting& resting : self.venue.resting()) rows.push_back(resting.order);
             return commands_to_columns(rows);
           })
      .def("snapshot",
           [](const VenueHandle& self) {
             const std::string state = self.venue.snapshot();
             return nb::bytes(state.data(), state.size());
           })
      .def("restore", [](VenueHandle& self, const nb::bytes& state) {
        self.venue.restore(std::string(state.c_str(), state.size()));
      });
}

}  // namespace quant
