#include <nanobind/stl/string.h>

#include "bind_kernel.hpp"
#include "quant/prim/failure.hpp"

namespace quant {

namespace nb = nanobind;

void bind_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Failure& failure) {
      const char* name = failure.kind() == FailureKind::kUsage      ? "UsageError"
                         : failure.kind() == FailureKind::kConflict ? "StateConflict"
                                                                    : "InvariantBroken";
      nb::object type = nb::module_::import_("quant.core.errors").attr(name);
      nb::object error = type(failure.code(), failure.what());
      PyErr_SetObject(type.ptr(), error.ptr());
    }
  });
}

void bind_enums(nb::module_& m) {
#define QUANT_VALUE(name, ...) .value(#name, Enum::name)
  {
    using Enum = Reason;
    nb::enum_<Reason>(m, "Reason", nb::is_arithmetic(), "Why an order or an account was stopped or changed.")
        QUANT_REASONS(QUANT_VALUE);
  }
  {
    using Enum = OrderState;
    nb::enum_<OrderState>(m, "OrderState", nb::is_arithmetic(), "Where an order stands.")
        QUANT_ORDER_STATES(QUANT_VALUE);
  }
  {
    using Enum = OrderEvent;
    nb::enum_<OrderEvent>(m, "OrderEvent", nb::is_arithmetic(), "What can happen to an order.")
        QUANT_ORDER_EVENTS(QUANT_VALUE);
  }
#undef QUANT_VALUE
  nb::enum_<LedgerKind>(m, "LedgerKind", nb::is_arithmetic(), "What a ledger entry is.")
      .value("DEPOSIT", LedgerKind::kDeposit)
      .value("TRADE", LedgerKind::kTrade)
      .value("COMMISSION", LedgerKind::kCommission)
      .value("STAMP", LedgerKind::kStamp)
      .value("TRANSFER", LedgerKind::kTransfer)
      .value("DIVIDEND", LedgerKind::kDividend)
      .value("DIVIDEND_PAID", LedgerKind::kDividendPaid)
      .value("BONUS", LedgerKind::kBonus)
      .value("DIVIDEND_TAX", LedgerKind::kDividendTax);
  m.def(
      "next_state",
      [](OrderState state, OrderEvent event) -> nb::object {
        const OrderState next = next_state(state, event);
        return next == kImpossible ? nb::none() : nb::cast(next);
      },
      nb::arg("state"), nb::arg("event"));
}

}  // namespace quant
