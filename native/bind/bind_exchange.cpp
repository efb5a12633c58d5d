#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bind.hpp"
#include "columns.hpp"
#include "quant/book/order_book.hpp"

namespace quant {
namespace {

using book::AuctionPrice;
using book::AuctionRule;
using book::Event;
using book::Events;
using book::OrderBook;

nb::dict events_to_columns(const Events& events) {
  nb::dict out;
  put_column(out, "kind", events, &Event::kind);
  put_column(out, "order_id", events, &Event::id);
  put_column(out, "other_id", events, &Event::other);
  put_column(out, "price", events, &Event::price);
  put_column(out, "quantity", events, &Event::quantity);
  put_column(out, "reason", events, &Event::reason);
  return out;
}

AuctionRule rule_of(int tie, int64_t reference, int64_t low, int64_t high) {
  return {static_cast<book::TieBreak>(tie), reference, low, high};
}

auto as_tuple(const AuctionPrice& price) {
  return std::make_tuple(price.price, price.volume, price.buys, price.sells);
}

}  // namespace

void bind_exchange(nb::module_& m) {
  nb::class_<OrderBook>(m, "OrderBook", "A limit order book; native/exchange.py is its typed facade.")
      .def(nb::init<int64_t>(), nb::arg("tick"))
      .def("add",
           [](OrderBook& self, int64_t id, int8_t side, int kind, int tif, int64_t price, int64_t stop,
              int64_t quantity) {
             Events out;
             self.add({id, side, static_cast<OrderKind>(kind), static_cast<Tif>(tif), price, stop, quantity},
                      out);
             return events_to_columns(out);
           })
      .def("cancel",
           [](OrderBook& self, int64_t id) {
             Events out;
             self.cancel(id, out);
             return events_to_columns(out);
           })
      .def("replace",
           [](OrderBook& self, int64_t id, int64_t price, int64_t quantity) {
             Events out;
             self.replace(id, price, quantity, out);
             return events_to_columns(out);
           })
      .def("begin_auction", &OrderBook::begin_auction)
      .def("indicative",
           [](const OrderBook& self, int tie, int64_t reference, int64_t low, int64_t high) {
             return as_tuple(self.indicative(rule_of(tie, reference, low, high)));
           })
      .def("uncross",
           [](OrderBook& self, int tie, int64_t reference, int64_t low, int64_t high) {
             Events out;
             const AuctionPrice price = self.uncross(rule_of(tie, reference, low, high), out);
             return std::make_tuple(as_tuple(price), events_to_columns(out));
           })
      .def("end_day",
           [](OrderBook& self) {
             Events out;
             self.end_day(out);
             return events_to_columns(out);
           })
      .def("depth",
           [](const OrderBook& self, int8_t side) {
             std::vector<book::Level> rows(self.levels(side).rbegin(), self.levels(side).rend());
             nb::dict out;
             put_column(out, "price", rows, &book::Level::price);
             put_column(out, "quantity", rows, &book::Level::quantity);
             put_column(out, "orders", rows, &book::Level::orders);
             return out;
           })
      .def("open_quantity", &OrderBook::open_quantity)
      .def("quantity_ahead", &OrderBook::quantity_ahead)
      .def("sound", &OrderBook::sound)
      .def_prop_ro("in_auction", &OrderBook::in_auction)
      .def_prop_ro("last", &OrderBook::last);
}

}  // namespace quant
