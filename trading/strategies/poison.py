"""Proof that a strategy sees nothing it cannot know: later garbage must not change an earlier decision.

``check_poison`` runs a strategy twice up to a decision instant, once on the data and once on the data with
every later value replaced, and compares the journaled decisions byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import CheckFailed
from quant.core.market.instrument import BOARD_MASK, TRADING
from quant.native.batch import Phase
from quant.trading.clocks import decision_phases
from quant.trading.journal import MemoryJournal
from quant.trading.market_data import KNOWN_FROM, MarketData, Matrix
from quant.trading.paper import run_replay
from quant.trading.ports import Ns, Origin, SessionPlan, Strategy

if TYPE_CHECKING:
    from quant.native.config import KernelConfig
    from quant.research.panel import Panel
    from quant.research.reported import ReportedValues

_PRICES: Final = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap")
_AT_CLOSE: Final = ("high", "low", "close", "vwap", "volume", "amount")
_CLOSE_FLAGS: Final = TRADING

Make = Callable[[MarketData], Strategy]


@dataclass(frozen=True, slots=True)
class PoisonCase:
    """A plan with its data, and how to make its strategy from (possibly poisoned) data."""

    plan: SessionPlan
    data: MarketData
    config: KernelConfig
    rows: NDArray[np.int32]
    make: Make


def check_poison(case: PoisonCase, at: Iterable[int], *, seeds: Iterable[int] = (1, 2)) -> int:
    """Check the decisions up to each row of ``at``, under garbage of each seed; how many were compared.

    Raises:
        CheckFailed: a decision changed; the fault names its session.
    """
    compared = 0
    for t, phase in product(at, decision_phases(case.plan.decide)):
        until = case.data.market.instant(t, phase)
        clean = decisions(case, case.data, until)
        for seed in seeds:
            dirty = decisions(case, poison(case.data, t, phase, seed), until)
            _compare(case.data, clean, dirty)
            compared += len(clean)
    return compared


def check_panel_poison(
    build: Callable[[Panel], PoisonCase], panel: Panel, at: Iterable[int], *, seeds: Iterable[int] = (1, 2)
) -> int:
    """The same from the panel on: factors, universe and construction are made anew from the poisoned one.

    ``build`` assembles a case from a panel; ``at`` are market rows.
    """
    case = build(panel)
    phases = decision_phases(case.plan.decide)
    compared = 0
    for t, phase in product(at, phases):
        until = case.data.market.instant(t, phase)
        clean = decisions(case, case.data, until)
        for seed in seeds:
            spoiled = build(poison_panel(panel, case.data.first + t, phase, seed))
            _compare(case.data, clean, decisions(spoiled, spoiled.data, until))
            compared += len(clean)
    return compared


def decisions(case: PoisonCase, data: MarketData, until: Ns) -> list[tuple[int, bytes]]:
    """(market row, intents and strategy state) of every decision and reaction up to ``until``."""
    journal = MemoryJournal(data.market)
    run_replay(case.plan, data, case.config, case.make(data), rows=case.rows, until=until, journal=journal)
    chosen = (Origin.DECISION, Origin.REACTION)
    return [(e.batch.t, e.batch.encode() + e.state) for e in journal.replay() if e.origin in chosen]


def poison(data: MarketData, t: int, phase: Phase, seed: int) -> MarketData:
    """``data`` with garbage in everything that is not known at ``phase`` of bar ``t``."""
    from quant.native.market import DAILY, Market

    rng = np.random.default_rng([seed, t])
    market = data.market
    arrays = {name: values.copy() for name, values in market.arrays.items()}
    session = market.session_of(t)
    for name in (*_PRICES, "volume", "flags"):
        row = session if name in DAILY else t
        hidden = _hidden_today(name, phase) or (name == "flags" and not market.closes(t))
        spoil(arrays[name], row, hidden, name, rng)
    if phase >= Phase.OPEN:  # what has an open trades today
        opened = market.arrays["open"][t] > 0
        arrays["flags"][session][opened] = market.arrays["flags"][session][opened]
    actions = {name: values.copy() for name, values in market.actions.items()}
    later = actions["ex_index"] > session
    actions["cash_per_share"][later] = rng.integers(0, 10**9, int(later.sum()))
    actions["bonus_ratio"][later] = rng.integers(0, 10**8, int(later.sum()))
    spoiled = Market.from_arrays(**arrays, actions=actions)
    facts = data.facts
    if facts is not None:
        facts = replace(facts, members=_PoisonedMembers(facts.members, data.first + t, seed))
    return replace(data, market=spoiled, columns=_PoisonedColumns(data, t, phase, seed), facts=facts)


def poison_panel(panel: Panel, t: int, phase: Phase, seed: int) -> Panel:
    """``panel`` with garbage in everything that is not known at ``phase`` of panel row ``t``.

    For strategies whose scores come from the panel: assemble the poisoned panel as the clean one was.
    """
    rng = np.random.default_rng([seed, t])
    changed: dict[str, Any] = {}
    for name in (*_PRICES, "volume", "amount", "flags", "factor"):
        changed[name] = np.array(getattr(panel, name))
        spoil(changed[name], t, _hidden_today(name, phase), name, rng)
    later = panel.actions.ex_index > t
    cash, bonus = panel.actions.cash_per_share.copy(), panel.actions.bonus_ratio.copy()
    cash[later] = rng.integers(0, 10**9, int(later.sum()))
    bonus[later] = rng.integers(0, 10**8, int(later.sum()))
    actions = replace(panel.actions, cash_per_share=cash, bonus_ratio=bonus)
    if panel.reported is not None:
        changed["reported"] = _PoisonedReported(panel.reported, t, phase, seed)
    return replace(panel, actions=actions, **changed)


def spoil(values: Matrix, t: int, today: bool, name: str, rng: np.random.Generator) -> None:
    """Garbage, in place, into the rows after ``t``, and into the values of row ``t`` if ``today`` hides."""
    values[t + 1 :] = _garbage(values[t + 1 :], name, rng)
    if today and name == "flags":
        values[t] ^= rng.integers(0, 2, len(values[t])).astype(values.dtype) * values.dtype.type(_CLOSE_FLAGS)
    elif today:
        values[t] = np.where(values[t] != 0, _garbage(values[t], name, rng), values[t])


def _garbage(like: Matrix, name: str, rng: np.random.Generator) -> Matrix:
    if name == "flags":
        boards = like & like.dtype.type(BOARD_MASK)
        return np.asarray(rng.integers(0, 64, like.shape).astype(like.dtype) | boards)
    if like.dtype.kind == "f":
        wild = rng.choice([np.nan, 0.0, -1.0, 1e9, 1e-9], like.shape)
        return np.asarray(np.where(rng.random(like.shape) < 0.3, wild, rng.lognormal(0, 3, like.shape)))
    return np.asarray(rng.integers(0, 10**8, like.shape), dtype=like.dtype)


def _hidden_today(name: str, phase: Phase) -> bool:
    if name == "open":
        return phase < Phase.OPEN
    return phase < Phase.CLOSE and (name in _AT_CLOSE or name == "flags")


def _compare(data: MarketData, clean: list[tuple[int, bytes]], dirty: list[tuple[int, bytes]]) -> None:
    for (t, ours), (_, theirs) in zip(clean, dirty, strict=False):
        if ours != theirs:
            raise _caught(data, t)
    if len(clean) != len(dirty):
        raise _caught(data, (clean if len(clean) > len(dirty) else dirty)[min(len(clean), len(dirty))][0])


def _caught(data: MarketData, t: int) -> CheckFailed:
    return CheckFailed(
        "strategy.lookahead",
        f"the decision of {data.session(t)} changes with values that were not known then",
        expected="the same intents whatever comes later",
        found="other intents",
    )


class _PoisonedReported:
    """What is known about companies, with garbage where nothing is known yet; made when asked for."""

    def __init__(self, reported: ReportedValues, t: int, phase: Phase, seed: int) -> None:
        self._reported, self._t, self._phase, self._seed = reported, t, phase, seed

    def __getitem__(self, name: str) -> Matrix:
        values = np.array(self._reported[name], dtype=np.float64)
        begin = self._t + (KNOWN_FROM[name] <= self._phase)
        rng = np.random.default_rng([self._seed, self._t, len(name), *name.encode()])
        values[begin:] = _garbage(values[begin:], name, rng)
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._reported)

    def members(self, index: str) -> NDArray[np.bool_]:
        return _PoisonedMembers(self._reported.members, self._t, self._seed)(index)


@dataclass(frozen=True)
class _PoisonedMembers:
    """Members of indices, with garbage in the rows after ``t``."""

    members: Callable[[str], NDArray[np.bool_]]
    t: int
    seed: int

    def __call__(self, index: str) -> NDArray[np.bool_]:
        held = np.array(self.members(index))
        rng = np.random.default_rng([self.seed, self.t])
        held[self.t + 1 :] = rng.random(held[self.t + 1 :].shape) < 0.5
        return held


class _PoisonedColumns(Mapping[str, Matrix]):
    """The columns of ``data`` with garbage where nothing is known yet; made when asked for."""

    def __init__(self, data: MarketData, t: int, phase: Phase, seed: int) -> None:
        self._data, self._t, self._phase, self._seed = data, t, phase, seed
        self._made: dict[str, Matrix] = {}

    def __getitem__(self, name: str) -> Matrix:
        if name not in self._made:
            values = np.array(self._data.columns[name], dtype=np.float64)
            known = KNOWN_FROM.get(name, Phase.CLOSE) <= self._phase
            begin = self._data.first + self._t + known
            rng = np.random.default_rng([self._seed, self._t, len(name), *name.encode()])
            values[begin:] = _garbage(values[begin:], name, rng)
            self._made[name] = values
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data.columns)

    def __len__(self) -> int:
        return len(self._data.columns)
