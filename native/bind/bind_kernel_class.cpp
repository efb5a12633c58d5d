#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bind_kernel.hpp"
#include "bind_market.hpp"

namespace quant {

nb::dict commands_to_columns(const Commands& commands) {
  nb::dict out;
  put_column(out, "order_id", commands, &Command::order_id);
  put_column(out, "action", commands, &Command::action);
  put_column(out, "instrument", commands, &Command::instrument);
  put_column(out, "side", commands, &Command::side);
  put_column(out, "quantity", commands, &Command::quantity);
  put_column(out, "price", commands, &Command::price);
  put_column(out, "tif", commands, &Command::tif);
  put_column(out, "target", commands, &Command::target);
  put_column(out, "kind", commands, &Command::kind);
  put_column(out, "stop", commands, &Command::stop);
  put_column(out, "protect", commands, &Command::protect);
  return out;
}

nb::dict intents_to_columns(const std::vector<Intent>& intents) {
  nb::dict out;
  put_column(out, "instrument", intents, &Intent::instrument);
  put_column(out, "kind", intents, &Intent::kind);
  put_column(out, "weight", intents, &Intent::weight);
  put_column(out, "quantity", intents, &Intent::quantity);
  put_column(out, "side", intents, &Intent::side);
  put_column(out, "price", intents, &Intent::price);
  put_column(out, "tif", intents, &Intent::tif);
  put_column(out, "tag", intents, &Intent::tag);
  put_column(out, "order_kind", intents, &Intent::order_kind);
  put_column(out, "stop", intents, &Intent::stop);
  put_column(out, "order_id", intents, &Intent::order_id);
  return out;
}

std::vector<Intent> read_intents(const nb::dict& columns) {
  std::vector<Intent> rows(column_length(columns, "instrument"));
  take_column(columns, "instrument", rows, &Intent::instrument);
  take_column(columns, "kind", rows, &Intent::kind);
  take_column(columns, "weight", rows, &Intent::weight);
  take_column(columns, "quantity", rows, &Intent::quantity);
  take_column(columns, "side", rows, &Intent::side);
  take_column(columns, "price", rows, &Intent::price);
  take_column(columns, "tif", rows, &Intent::tif);
  take_column(columns, "tag", rows, &Intent::tag);
  take_column(columns, "order_kind", rows, &Intent::order_kind);
  take_column(columns, "stop", rows, &Intent::stop);
  take_column(columns, "order_id", rows, &Intent::order_id);
  return rows;
}

namespace {

std::vector<Report> read_reports(const nb::dict& columns) {
  std::vector<Report> rows(column_length(columns, "order_id"));
  take_column(columns, "order_id", rows, &Report::order_id);
  take_column(columns, "kind", rows, &Report::kind);
  take_column(columns, "quantity", rows, &Report::quantity);
  take_column(columns, "price", rows, &Report::price);
  take_column(columns, "reason", rows, &Report::reason);
  return rows;
}

nb::dict positions_of(const Kernel& kernel) {
  std::vector<Position> rows;
  for (const int32_t slot : kernel.ledger().held()) {
    rows.push_back(kernel.ledger().positions()[static_cast<size_t>(slot)]);
  }
  nb::dict out;
  put_column(out, "instrument", rows, &Position::instrument);
  put_column(out, "quantity", rows, &Position::quantity);
  put_column(out, "sellable", rows, &Position::sellable);
  put_column(out, "cost", rows, &Position::cost);
  put_column(out, "price", rows, &Position::mark);
  return out;
}

nb::dict position_history_of(const Kernel& kernel) {
  const auto& rows = kernel.position_history();
  nb::dict out;
  put_column(out, "row", rows, &PositionRecord::row);
  put_column(out, "instrument", rows, &PositionRecord::instrument);
  put_column(out, "quantity", rows, &PositionRecord::quantity);
  put_column(out, "cost", rows, &PositionRecord::cost);
  put_column(out, "price", rows, &PositionRecord::price);
  return out;
}

nb::dict orders_of(const Kernel& kernel) {
  const auto& rows = kernel.orders();
  nb::dict out;
  put_column(out, "order_id", rows, &Order::id);
  put_column(out, "row", rows, &Order::row);
  put_column(out, "ts", rows, &Order::ts);
  put_column(out, "instrument", rows, &Order::instrument);
  put_column(out, "side", rows, &Order::side);
  put_column(out, "wanted", rows, &Order::wanted);
  put_column(out, "quantity", rows, &Order::quantity);
  put_column(out, "filled", rows, &Order::filled);
  put_column(out, "price", rows, &Order::price);
  put_column(out, "state", rows, &Order::state);
  put_column(out, "reason", rows, &Order::reason);
  put_column(out, "target_weight", rows, &Order::weight);
  put_column(out, "tag", rows, &Order::tag);
  put_column(out, "kind", rows, &Order::kind);
  put_column(out, "tif", rows, &Order::tif);
  put_column(out, "stop", rows, &Order::stop);
  return out;
}

nb::dict fills_of(const Kernel& kernel) {
  const auto& rows = kernel.fills();
  nb::dict out;
  put_column(out, "row", rows, &Fill::row);
  put_column(out, "ts", rows, &Fill::ts);
  put_column(out, "order_id", rows, &Fill::order_id);
  put_column(out, "instrument", rows, &Fill::instrument);
  put_column(out, "side", rows, &Fill::side);
  put_column(out, "quantity", rows, &Fill::quantity);
  put_column(out, "price", rows, &Fill::price);
  put_column(out, "notional", rows, &Fill::notional);
  put_column(out, "commission", rows, &Fill::commission);
  put_column(out, "stamp", rows, &Fill::stamp);
  put_column(out, "transfer", rows, &Fill::transfer);
  put_column(out, "reason", rows, &Fill::reason);
  return out;
}

nb::dict ledger_of(const Kernel& kernel) {
  const auto& rows = kernel.ledger().entries();
  nb::dict out;
  put_column(out, "row", rows, &LedgerEntry::row);
  put_column(out, "kind", rows, &LedgerEntry::kind);
  put_column(out, "instrument", rows, &LedgerEntry::instrument);
  put_column(out, "amount", rows, &LedgerEntry::amount);
  put_column(out, "quantity", rows, &LedgerEntry::quantity);
  put_column(out, "order_id", rows, &LedgerEntry::order_id);
  return out;
}

nb::dict names_of(const Kernel& kernel) {
  std::vector<Position> rows;
  for (const Position& position : kernel.ledger().positions()) {
    if (position.traded > 0) rows.push_back(position);
  }
  nb::dict out;
  put_column(out, "instrument", rows, &Position::instrument);
  put_column(out, "pnl", rows, &Position::pnl);
  put_column(out, "traded", rows, &Position::traded);
  put_column(out, "holding_days", rows, &Position::sessions_held);
  return out;
}

nb::dict nav_history_of(const Kernel& kernel) {
  const auto& rows = kernel.nav_history();
  nb::dict out;
  put_column(out, "row", rows, &NavRecord::row);
  put_column(out, "session", rows, &NavRecord::session);
  put_column(out, "nav", rows, &NavRecord::nav);
  put_column(out, "cash", rows, &NavRecord::cash);
  put_column(out, "market_value", rows, &NavRecord::market_value);
  put_column(out, "receivable", rows, &NavRecord::receivable);
  put_column(out, "fees", rows, &NavRecord::fees);
  put_column(out, "traded", rows, &NavRecord::traded);
  put_column(out, "positions", rows, &NavRecord::positions);
  return out;
}

std::vector<std::pair<int32_t, std::string>> chain_of(const Kernel& kernel) {
  std::vector<std::pair<int32_t, std::string>> links;
  for (const ChainLink& link : kernel.chain()) links.emplace_back(link.session, hex(link.digest));
  return links;
}

void bind_steps(nb::class_<Kernel>& cls) {
  cls.def("step_slice",
          [](Kernel& kernel, int32_t t, int phase) {
            Commands out;
            kernel.on_slice(t, static_cast<Phase>(phase), out);
            return commands_to_columns(out);
          })
      .def("step_intents",
           [](Kernel& kernel, const nb::dict& columns) {
             Commands out;
             kernel.on_intents(read_intents(columns), out);
             return commands_to_columns(out);
           })
      .def("step_reports",
           [](Kernel& kernel, const nb::dict& columns) {
             Commands out;
             kernel.on_reports(read_reports(columns), out);
             return commands_to_columns(out);
           })
      .def("step_control", [](Kernel& kernel, int kind, int64_t value, const std::string& note) {
        Commands out;
        kernel.on_control({static_cast<ControlKind>(kind), value, note}, out);
        return commands_to_columns(out);
      });
}

void bind_views(nb::class_<Kernel>& cls) {
  cls.def_prop_ro("nav", [](const Kernel& k) { return k.ledger().nav(); })
      .def_prop_ro("cash", [](const Kernel& k) { return k.ledger().cash(); })
      .def_prop_ro("available", [](const Kernel& k) { return k.ledger().available(); })
      .def_prop_ro("reserved", [](const Kernel& k) { return k.ledger().reserved(); })
      .def_prop_ro("withdrawable", [](const Kernel& k) { return k.ledger().withdrawable(); })
      .def_prop_ro("receivable", [](const Kernel& k) { return k.ledger().receivable(); })
      .def_prop_ro("halted", &Kernel::halted)
      .def_prop_ro("paused", &Kernel::paused)
      .def_prop_ro(
          "now",
          [](const Kernel& k) { return std::make_tuple(k.row(), static_cast<int>(k.phase()), k.now()); })
      .def_prop_ro("state_hash", [](const Kernel& k) { return hex(k.head()); })
      .def("chain", &chain_of)
      .def("positions", &positions_of)
      .def("quantity",
           [](const Kernel& kernel, int32_t instrument) {
             const Position* held = kernel.ledger().find(instrument);
             return held == nullptr ? int64_t{0} : held->quantity;
           })
      .def("position_history", &position_history_of)
      .def("orders", &orders_of)
      .def("fills", &fills_of)
      .def("ledger", &ledger_of)
      .def("names", &names_of)
      .def("nav_history", &nav_history_of);
}

}  // namespace

void bind_kernel_class(nb::module_& m) {
  nb::class_<Kernel> cls(m, "Kernel", "The kernel; native/kernel.py is its typed facade.");
  cls.def(
      "__init__",
      [](Kernel* self, const MarketHandle& market, nb::handle config) {
        new (self) Kernel(market.market, read_config(config));
      },
      nb::keep_alive<1, 2>(), nb::arg("market"), nb::arg("config"));
  cls.def("snapshot",
          [](const Kernel& k) {
            const std::string s = k.snapshot();
            return nb::bytes(s.data(), s.size());
          })
      .def("restore",
           [](Kernel& k, const nb::bytes& state) { k.restore(std::string(state.c_str(), state.size())); });
  bind_steps(cls);
  bind_views(cls);
}

}  // namespace quant
