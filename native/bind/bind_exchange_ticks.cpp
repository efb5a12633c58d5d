#include <nanobind/stl/string.h>

#include <string>

#include "bind.hpp"
#include "bind_exchange.hpp"
#include "quant/prim/failure.hpp"
#include "quant/sim/tick_venue.hpp"

namespace quant {
namespace {

constexpr const char* kQueues[] = {"touch", "fifo", "power", "log"};

QueueModel queue_of(const std::string& name) {
  for (size_t k = 0; k < std::size(kQueues); ++k) {
    if (name == kQueues[k]) return static_cast<QueueModel>(k);
  }
  throw Failure(FailureKind::kUsage, "venue.queue", "unknown queue model " + name);
}

const int64_t* column_or_null(const nb::object& column, size_t rows, nb::object& keep) {
  if (column.is_none()) return nullptr;
  const auto values = nb::cast<Column<int64_t>>(column, false);
  if (values.shape(0) != rows) throw nb::value_error("columns have unequal lengths");
  keep = column;
  return values.data();
}

nb::dict feed(TickVenue& venue, const TicksHandle& data, size_t first, size_t last) {
  TickReports out;
  const Ticks& rows = data.ticks;
  if (first > last || last > rows.N) throw nb::value_error("rows outside the recording");
  for (size_t k = first; k < last; ++k) {
    Tick tick;
    tick.ts = rows.ts[k];
    tick.instrument = rows.instrument == nullptr ? 0 : rows.instrument[k];
    tick.bid = rows.bid[k];
    tick.ask = rows.ask[k];
    tick.bid_size = rows.bid_size[k];
    tick.ask_size = rows.ask_size[k];
    if (rows.volume != nullptr) {
      tick.last = rows.last[k];
      tick.volume = rows.volume[k];
    }
    if (tick.instrument < 0 || tick.instrument >= venue.instruments())
      throw Failure(FailureKind::kUsage, "venue.instrument", "a row names an instrument outside the market");
    venue.on_tick(tick, out);
  }
  return tick_reports_to_columns(out);
}

nb::dict feed_depth(TickVenue& venue, Column<int64_t> ts, Column<int32_t> instrument, Column<uint8_t> kind,
                    Column<int8_t> side, Column<int64_t> price, Column<int64_t> size) {
  const size_t rows = ts.shape(0);
  for (const size_t n : {instrument.shape(0), kind.shape(0), side.shape(0), price.shape(0), size.shape(0)}) {
    if (n != rows) throw nb::value_error("columns have unequal lengths");
  }
  TickReports out;
  for (size_t k = 0; k < rows; ++k) {
    venue.on_depth({ts.data()[k], instrument.data()[k], static_cast<DepthKind>(kind.data()[k]),
                    side.data()[k], price.data()[k], size.data()[k]},
                   out);
  }
  return tick_reports_to_columns(out);
}

TickRule read_rule(nb::handle rule) {
  TickRule out;
  out.queue.model = queue_of(nb::cast<std::string>(rule.attr("queue")));
  out.queue.power = nb::cast<int32_t>(rule.attr("power"));
  out.sweep = nb::cast<std::string>(rule.attr("sweep")) == "touch" ? Sweep::kTouch : Sweep::kDisplayed;
  out.entry_latency = nb::cast<int64_t>(rule.attr("entry_latency"));
  out.answer_latency = nb::cast<int64_t>(rule.attr("answer_latency"));
  const nb::object share = rule.attr("participation");
  out.participation = share.is_none() ? -1 : nb::cast<int64_t>(share);
  out.slippage = nb::cast<int64_t>(rule.attr("slippage"));
  out.tick = nb::cast<int64_t>(rule.attr("tick"));
  return out;
}

}  // namespace

nb::dict tick_reports_to_columns(const TickReports& reports) {
  nb::dict out;
  put_column(out, "ts", reports, &TickReport::ts);
  put_column(out, "due", reports, &TickReport::due);
  put_column(out, "instrument", reports, &TickReport::instrument);
  put_column(out, "order_id", reports, [](const TickReport& r) { return r.report.order_id; });
  put_column(out, "kind", reports, [](const TickReport& r) { return r.report.kind; });
  put_column(out, "quantity", reports, [](const TickReport& r) { return r.report.quantity; });
  put_column(out, "price", reports, [](const TickReport& r) { return r.report.price; });
  put_column(out, "reason", reports, [](const TickReport& r) { return r.report.reason; });
  return out;
}

void bind_exchange_ticks(nb::module_& m) {
  nb::class_<TicksHandle>(m, "Ticks", "A recording by reference; native/exchange.py checks and explains it.")
      .def(
          "__init__",
          [](TicksHandle* self, Column<int64_t> ts, const nb::object& instrument, Column<int64_t> bid,
             Column<int64_t> ask, Column<int64_t> bid_size, Column<int64_t> ask_size, const nb::object& last,
             const nb::object& volume) {
            new (self) TicksHandle();
            const size_t rows = ts.shape(0);
            for (const Column<int64_t>& column : {bid, ask, bid_size, ask_size}) {
              if (column.shape(0) != rows) throw nb::value_error("columns have unequal lengths");
            }
            self->columns = {ts, bid, ask, bid_size, ask_size};
            self->ticks = {rows,       ts.data(),       nullptr,         bid.data(),
                           ask.data(), bid_size.data(), ask_size.data(), nullptr,
                           nullptr};
            if (!instrument.is_none()) {
              const auto ids = nb::cast<Column<int32_t>>(instrument, false);
              if (ids.shape(0) != rows) throw nb::value_error("columns have unequal lengths");
              self->ticks.instrument = ids.data();
              self->optional[0] = instrument;
            }
            self->ticks.last = column_or_null(last, rows, self->optional[1]);
            self->ticks.volume = column_or_null(volume, rows, self->optional[2]);
          },
          nb::arg("ts").noconvert(), nb::arg("instrument").none(), nb::arg("bid").noconvert(),
          nb::arg("ask").noconvert(), nb::arg("bid_size").noconvert(), nb::arg("ask_size").noconvert(),
          nb::arg("last").none(), nb::arg("volume").none());
  nb::class_<TickVenue>(m, "TickVenue", "An exchange over ticks; native/exchange.py is its typed facade.")
      .def(
          "__init__",
          [](TickVenue* self, int32_t instruments, nb::handle rule) {
            new (self) TickVenue(instruments, read_rule(rule));
          },
          nb::arg("instruments"), nb::arg("rule"))
      .def("set_limits", &TickVenue::set_limits, nb::arg("instrument"), nb::arg("down"), nb::arg("up"))
      .def(
          "set_cage",
          [](TickVenue& self, int32_t instrument, int beyond, int64_t up, int64_t down, int64_t ticks,
             int64_t tick, int64_t prev_close) {
            self.set_cage(instrument, {static_cast<Beyond>(beyond), up, down, ticks, tick}, prev_close);
          },
          nb::arg("instrument"), nb::arg("beyond"), nb::arg("up"), nb::arg("down"), nb::arg("ticks"),
          nb::arg("tick"), nb::arg("prev_close"))
      .def("set_windows",
           [](TickVenue& self, int32_t instrument, Column<int64_t> begin, Column<int64_t> end,
              Column<uint8_t> kind, Column<bool> cancels, Column<int32_t> day) {
             std::vector<Window> windows(begin.shape(0));
             for (size_t k = 0; k < windows.size(); ++k) {
               windows[k] = {begin.data()[k], end.data()[k], static_cast<Session>(kind.data()[k]),
                             cancels.data()[k], day.data()[k]};
             }
             self.set_windows(instrument, std::move(windows));
           })
      .def("submit",
           [](TickVenue& self, int64_t sent, int64_t id, int action, int32_t instrument, int8_t side,
              int kind, int tif, int64_t price, int64_t stop, int64_t quantity) {
             Command command;
             command.order_id = id;
             command.action = static_cast<Action>(action);
             command.instrument = instrument;
             command.side = side;
             command.kind = static_cast<OrderKind>(kind);
             command.tif = static_cast<Tif>(tif);
             command.price = price;
             command.stop = stop;
             command.quantity = quantity;
             self.submit(command, sent);
           })
      .def("feed", &feed, nb::arg("ticks"), nb::arg("first"), nb::arg("last"))
      .def("feed_depth", &feed_depth, nb::arg("ts").noconvert(), nb::arg("instrument").noconvert(),
           nb::arg("kind").noconvert(), nb::arg("side").noconvert(), nb::arg("price").noconvert(),
           nb::arg("size").noconvert())
      .def("advance",
           [](TickVenue& self, int64_t ts) {
             TickReports out;
             self.advance(ts, out);
             return tick_reports_to_columns(out);
           })
      .def("end_day",
           [](TickVenue& self, int64_t ts) {
             TickReports out;
             self.end_day(ts, out);
             return tick_reports_to_columns(out);
           })
      .def("quantity_ahead", &TickVenue::quantity_ahead, nb::arg("order_id"), nb::arg("instrument"))
      .def("open_quantity", &TickVenue::open_quantity, nb::arg("order_id"), nb::arg("instrument"))
      .def_prop_ro("idle", &TickVenue::idle);
  m.def("ahead_after_cancels",
        [](int64_t ahead, int64_t total, int64_t gone, const std::string& model, int32_t power) {
          return ahead_after_cancels(ahead, total, gone, {queue_of(model), power});
        });
  m.def("log2_fixed", &log2_fixed);
}

}  // namespace quant
