"""A user's class behind the strategy port: events and errors translated, state kept as JSON.

The class needs ``decide(self, view)``. It may have ``on_events(self, view, events)`` (a list of
:class:`~quant.trading.view.OrderEvent`), ``snapshot(self) -> dict`` and ``restore(self, state)``. Without the
last two, its attributes are its state: those without a leading underscore must be plain JSON data.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from quant.core.errors import InvariantBroken, QuantError
from quant.core.money import PRICE_SCALE
from quant.native.batch import Batch, ReportKind
from quant.trading.strategies.errors import StrategyError, describe, place_in
from quant.trading.view import OrderEvent, View, book_of

_KINDS: Final[dict[int, Literal["ack", "fill", "cancelled", "rejected", "expired"]]] = {
    int(ReportKind.ACK): "ack",
    int(ReportKind.FILL): "fill",
    int(ReportKind.CANCELLED): "cancelled",
    int(ReportKind.REJECTED): "rejected",
    int(ReportKind.EXPIRED): "expired",
}


class PythonStrategy:
    """Adapter over ``instance``; ``folder`` is where errors are located, ``fingerprint`` hashes its code."""

    def __init__(self, instance: Any, *, folder: Path | None = None, fingerprint: str = "") -> None:
        self._user = instance
        self._folder = folder if folder is not None else Path(_file_of(instance)).parent
        self.fingerprint = fingerprint
        self.reacts = callable(getattr(instance, "on_events", None))
        self._own_state = callable(getattr(instance, "snapshot", None))
        if self._own_state != callable(getattr(instance, "restore", None)):
            raise self._error("strategy.state", "snapshot and restore belong together; only one is defined")

    @property
    def name(self) -> str:
        return type(self._user).__name__

    def decide(self, view: View) -> Batch:
        """Raises StrategyError, located in the user's file, for whatever goes wrong in it."""
        self._call("decide", self._user.decide, view)
        return view.intents()

    def on_events(self, view: View, events: Batch) -> Batch:
        self._call("on_events", self._user.on_events, view, order_events(view, events))
        return view.intents()

    def snapshot(self) -> bytes:
        if self._own_state:
            state = self._call("snapshot", self._user.snapshot)
        else:
            state = {k: v for k, v in vars(self._user).items() if not k.startswith("_")}
        return self._encode(state)

    def restore(self, state: bytes) -> None:
        facts = json.loads(state)
        if self._own_state:
            self._call("restore", self._user.restore, facts)
        else:
            vars(self._user).update(facts)

    def _call(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                return function(*args)
        except InvariantBroken:
            raise
        except (Exception, SystemExit) as error:
            raise self._located(what, error) from error

    def _located(self, what: str, error: BaseException) -> StrategyError:
        where = place_in(self._folder, error)
        if isinstance(error, QuantError):
            fault = error.fault
            return StrategyError(
                fault.code,
                f"{self.name}.{what}: {fault.message}",
                where=where,
                expected=fault.expected,
                found=fault.found,
                hint=fault.hint,
            )
        return StrategyError(
            "strategy.failed",
            f"{self.name}.{what} failed: {describe(error)}",
            where=where,
            hint="--debug shows the traceback",
        )

    def _encode(self, state: Any) -> bytes:
        """Canonical JSON that reads back equal, or an error that names the attribute at fault."""
        if not isinstance(state, dict):
            raise self._error("strategy.state", f"snapshot must give a dict, not {type(state).__name__}")
        for name, value in state.items():
            try:
                sound = isinstance(name, str) and _same(json.loads(json.dumps(value, allow_nan=False)), value)
            except (TypeError, ValueError, RecursionError):
                sound = False
            if not sound:
                raise self._error(
                    "strategy.state",
                    f"attribute {name!r} cannot be kept across a restart",
                    expected="plain data: text, numbers, True, None, lists, dicts with text keys",
                    found=type(value).__name__,
                    hint=f"name it _{name} if it is only a cache, or define snapshot and restore",
                )
        return json.dumps(state, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    def _error(self, code: str, message: str, **facts: Any) -> StrategyError:
        return StrategyError(code, f"{self.name}: {message}", **facts)


def order_events(view: View, reports: Batch) -> list[OrderEvent]:
    """Order reports with their code and side looked up in the book."""
    from quant.native.kernel import Reason

    columns = {name: values.tolist() for name, values in reports.columns.items()}
    orders = book_of(view).orders()
    place = {order: i for i, order in enumerate(orders["order_id"].tolist())}
    found = []
    for order, kind, quantity, price, reason in zip(*(columns[n] for n in columns), strict=True):
        at = place[order]
        found.append(
            OrderEvent(
                order_id=order,
                code=view.codes[int(orders["instrument"][at])],
                side="buy" if orders["side"][at] > 0 else "sell",
                kind=_KINDS[kind],
                quantity=quantity,
                price=price / PRICE_SCALE,
                reason=Reason(reason).name.lower() if reason else "",
            )
        )
    return found


def _same(back: Any, value: Any) -> bool:
    """Equal in value and in kind: a tuple that comes back as a list is not the same."""
    if type(back) is not type(value):
        return False
    if isinstance(value, dict):
        return back.keys() == value.keys() and all(_same(back[k], value[k]) for k in value)
    if isinstance(value, list):
        return len(back) == len(value) and all(map(_same, back, value))
    return bool(back == value)


def _file_of(instance: Any) -> str:
    module = sys.modules.get(type(instance).__module__)
    return str(getattr(module, "__file__", None) or ".")
