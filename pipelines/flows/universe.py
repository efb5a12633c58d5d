"""``quant universe show``: who is in a universe on a date, as known then or at another instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from quant.core.errors import CheckFailed, SpecErrors, UsageError
from quant.core.market.calendar import calendar
from quant.core.market.instrument import LISTED

if TYPE_CHECKING:
    from quant.pipelines.access import PinnedReader
    from quant.pipelines.workspace import Workspace
    from quant.specs.compile import UniversePlan
    from quant.warehouse.lake import Lake

MIC = "XSHG"
BARS = ("instruments", "instrument_attributes", "bars_1d", "adjustment_factors")


@dataclass(frozen=True, slots=True)
class UniverseMember:
    """An instrument that the universe may hold; ``held`` says whether its conditions hold too."""

    code: str
    name: str
    listed: bool
    held: bool


@dataclass(frozen=True, slots=True)
class UniverseDay:
    """A universe after the close of a session; ``members`` in the order of their codes."""

    universe: str
    session: date
    known_at: datetime | None
    members: tuple[UniverseMember, ...]

    @property
    def held(self) -> tuple[UniverseMember, ...]:
        return tuple(m for m in self.members if m.held)

    def as_dict(self) -> dict[str, Any]:
        return {
            "universe": self.universe,
            "session": self.session.isoformat(),
            "known_at": self.known_at.isoformat() if self.known_at else None,
            "members": [
                {"code": m.code, "name": m.name, "listed": m.listed, "held": m.held} for m in self.members
            ],
            "held": len(self.held),
        }


def show_universe(desk: Workspace, name: str, on: date, known_at: datetime | None = None) -> UniverseDay:
    """The universe at the decision after the close of ``on``.

    Raises UsageError for a date without a session, CheckFailed where the data hold no bars of it.
    """
    from quant.native.factor import evaluate
    from quant.pipelines.wiring import compared, universe_members
    from quant.research.columns import PanelColumns
    from quant.research.panel import load_panel

    dates = calendar(MIC)
    if not dates.is_session(on):
        raise UsageError(
            "date.closed",
            f"{on} is no session of {MIC}",
            found=str(on),
            hint=f"--on {dates.previous(on)} is the session before",
        )
    universe = _universe(desk, name)
    lookback = universe.where.lookback if universe.where else 0
    reader = _reader(desk, universe, known_at)
    panel = load_panel(reader, dates, dates.offset(on, -lookback) if lookback else on, on)
    listed = panel.has(LISTED)
    if not listed[-1:].any():
        raise CheckFailed(
            "data.empty",
            f"the lake holds no bar of {on}" + (f" known at {known_at.isoformat()}" if known_at else ""),
            hint=f"quant data sync --start {on} --end {on}",
        )
    members = np.broadcast_to(universe_members(universe, panel), listed.shape)
    held = listed & members
    if universe.where is not None:
        mask = compared(universe.where, panel, members)
        held &= evaluate(universe.where, PanelColumns(panel), mask=mask) == 1.0
    rows = sorted((panel.codes[s], s) for s in np.flatnonzero(members[-1]))
    found = (UniverseMember(c, panel.names[s], bool(listed[-1, s]), bool(held[-1, s])) for c, s in rows)
    return UniverseDay(name, on, known_at, tuple(found))


def _universe(desk: Workspace, name: str) -> UniversePlan:
    from quant.specs.compile import universe_plan
    from quant.specs.registry import load_workspace
    from quant.specs.schema import UniverseSpec
    from quant.specs.validate import validate

    document = load_workspace(desk.root).get("universe", name)
    model, faults = validate("universe", document.tree, document.marks)
    if not isinstance(model, UniverseSpec):
        raise SpecErrors(faults)
    return universe_plan(model, document.marks)


def _reader(desk: Workspace, universe: UniversePlan, known_at: datetime | None) -> PinnedReader:
    """The tables that the universe needs, each at its newest version."""
    from quant.pipelines.access import PinnedReader
    from quant.specs.compile import PinnedTable, reported_tables
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    named = reported_tables(universe.where.columns if universe.where else ())
    dated = ("index_members", "index_weights") if isinstance(universe.members, dict) else ()
    tables = [
        PinnedTable(table, version, "")
        for table in (*BARS, *named, *dated)
        if (version := lake.version(table)) is not None
    ]
    _refuse_missing(named, tables, lake)
    return PinnedReader(lake, tables, known_at.isoformat() if known_at else None)


def _refuse_missing(named: tuple[str, ...], tables: list[Any], lake: Lake) -> None:
    missing = sorted({"bars_1d", *named} - {t.name for t in tables})
    if missing:
        raise CheckFailed(
            "data.missing",
            f"data are missing: {', '.join(missing)}",
            found=", ".join(lake.tables()) or "an empty lake",
            hint=f"quant data sync {' '.join(missing)}",
        )
