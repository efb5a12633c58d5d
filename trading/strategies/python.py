"""A user's class behind the strategy port: events and errors translated, state kept as JSON.

The class needs ``decide(self, view)``. It may have ``on_events(self, view, events)`` (a list of
:class:`~quant.trading.view.OrderEvent`), ``snapshot(self) -> dict`` and ``restore(self, state)``. Without the
last two, its attributes are its state: those without a leading underscore must be plain JSON data.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from quant.core.errors import InvariantBroken
from quant.core.money import PRICE_SCALE
from quant.native.batch import Batch, Phase, ReportKind
from quant.trading.market_data import MarketData
from quant.trading.ports import Book
from quant.trading.strategies.guard import Guard
from quant.trading.view import EventKind, OrderEvent, View, book_of

_KINDS: Final[dict[int, EventKind]] = {
    int(ReportKind.ACK): "ack",
    int(ReportKind.FILL): "fill",
    int(ReportKind.CANCELLED): "cancelled",
    int(ReportKind.REJECTED): "rejected",
    int(ReportKind.EXPIRED): "expired",
    int(ReportKind.CANCEL_REJECTED): "cancel_rejected",
    int(ReportKind.REPLACED): "replaced",
    int(ReportKind.REPLACE_REJECTED): "replace_rejected",
    int(ReportKind.TRIGGERED): "triggered",
    int(ReportKind.CARRIED): "carried",
}


_PHASES: Final = tuple(Phase)
_ATOMS: Final = frozenset({str, int, bool, type(None)})


class PythonStrategy:
    """Adapter over ``instance``; ``folder`` is where errors are located, ``fingerprint`` hashes its code."""

    def __init__(self, instance: Any, *, folder: Path | None = None, fingerprint: str = "") -> None:
        self._user = instance
        where = folder if folder is not None else Path(_file_of(instance)).parent
        self._guard = Guard(where, self.name)
        self.fingerprint = fingerprint
        self.reacts = callable(getattr(instance, "on_events", None))
        self._own_state = callable(getattr(instance, "snapshot", None))
        if self._own_state != callable(getattr(instance, "restore", None)):
            raise self._guard.error(
                "strategy.state", "snapshot and restore belong together; only one is defined"
            )

    @property
    def name(self) -> str:
        return type(self._user).__name__

    def decide(self, view: View) -> Batch:
        """Raises StrategyError, located in the user's file, for whatever goes wrong in it."""
        self._guard.call("decide", self._user.decide, view)
        return view.intents()

    def asking(self, data: MarketData, seed: int) -> Callable[[Book], Callable[[int, int, int], Any]]:
        """``decide`` for a run in memory, without a batch: (bar, phase, ns) -> rows of intents."""
        decide, located = self._user.decide, self._guard.located

        def of(book: Book) -> Callable[[int, int, int], Any]:
            def ask(t: int, phase: int, ts: int) -> Any:
                view = View(data, book, ts, t, _PHASES[phase], seed)
                try:
                    decide(view)
                except InvariantBroken:
                    raise
                except (Exception, SystemExit) as error:
                    raise located("decide", error) from error
                return view.rows()

            return ask

        return of

    def on_events(self, view: View, events: Batch) -> Batch:
        self._guard.call("on_events", self._user.on_events, view, order_events(view, events))
        return view.intents()

    def snapshot(self) -> bytes:
        if self._own_state:
            state = self._guard.call("snapshot", self._user.snapshot)
        else:
            state = {k: v for k, v in vars(self._user).items() if not k.startswith("_")}
        return self._encode(state)

    def restore(self, state: bytes) -> None:
        facts = json.loads(state)
        if self._own_state:
            self._guard.call("restore", self._user.restore, facts)
        else:
            vars(self._user).update(facts)

    def _encode(self, state: Any) -> bytes:
        """JSON that reads back equal in value and type, or an error that names the attribute at fault."""
        if not isinstance(state, dict):
            raise self._guard.error(
                "strategy.state", f"snapshot must give a dict, not {type(state).__name__}"
            )
        for name, value in state.items():
            if type(name) is not str or not _plain(value):
                raise self._guard.error(
                    "strategy.state",
                    f"attribute {name!r} cannot be kept across a restart",
                    expected="plain data: text, finite numbers, True, None, lists, dicts with text keys",
                    found=type(value).__name__,
                    hint=f"name it _{name} if it is only a cache, or define snapshot and restore",
                )
        return json.dumps(state, sort_keys=True, separators=(",", ":")).encode()


def order_events(view: View, reports: Batch) -> list[OrderEvent]:
    """Order reports with their code and side looked up in the book."""
    from quant.native.kernel import Reason

    columns = reports.columns
    orders = book_of(view).orders()
    places = np.searchsorted(orders["order_id"], columns["order_id"])
    instruments = orders["instrument"][places].tolist()
    sides = orders["side"][places].tolist()
    names = ("order_id", "kind", "quantity", "price", "reason")
    rows = zip(instruments, sides, *(columns[name].tolist() for name in names), strict=True)
    return [
        OrderEvent(
            order_id=order,
            code=view.codes[instrument],
            side="buy" if side > 0 else "sell",
            kind=_KINDS[kind],
            quantity=quantity,
            price=price / PRICE_SCALE,
            reason=Reason(reason).name.lower() if reason else "",
        )
        for instrument, side, order, kind, quantity, price, reason in rows
    ]


def _plain(value: Any) -> bool:
    """Whether JSON gives the value back with its types: no subclasses, no tuples, no NaN."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(type(v) in _ATOMS or _plain(v) for v in value)
    if kind is dict:
        return all(type(k) is str for k in value) and all(
            type(v) in _ATOMS or _plain(v) for v in value.values()
        )
    return kind in _ATOMS


def _file_of(instance: Any) -> str:
    module = sys.modules.get(type(instance).__module__)
    return str(getattr(module, "__file__", None) or ".")
