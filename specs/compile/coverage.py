"""Which tables a run reads, and the one command that fetches what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from quant.core.errors import Location, QuantError, SpecError, SpecErrors
from quant.core.market.calendar import calendar
from quant.core.market.statements import BASICS, ITEMS
from quant.core.time import EXCHANGE_ZONES
from quant.specs.compile.catalog import Catalog, TableState
from quant.specs.resolution import ResolvedSpec
from quant.specs.schema import FilesSource
from quant.specs.schema.research import IndexMembers
from quant.specs.schema.trading import Fill

TABLES = ("instruments", "instrument_attributes", "bars_1d", "adjustment_factors", "corporate_actions")
DAILY = ("bars_1d", "adjustment_factors")
MEMBERS = ("index_members", "index_weights")
"""Either tells which instruments an index held."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a backtest and a session state in different places."""

    mode: Literal["backtest", "paper"]
    start: date
    end: date
    cash: Decimal
    fill: Fill
    prices: Literal["raw", "adjusted"]
    at: Location
    as_of: datetime | None = None
    known_where: Location | None = None


def reported_tables(columns: Iterable[str]) -> tuple[str, ...]:
    """The tables besides bars that hold some of a program's columns."""
    named = set(columns)
    return tuple(
        table
        for table, held in (("daily_basics", BASICS), ("fundamentals", ITEMS))
        if not named.isdisjoint(held)
    )


def table_states(
    resolved: ResolvedSpec,
    catalog: Catalog,
    frame: Frame,
    lookback: int,
    reported: tuple[str, ...] = (),
) -> list[TableState]:
    """The tables the run reads; ``reported`` are those its expressions name. Raises SpecErrors naming the
    command that completes them.
    """
    dates = calendar(resolved.run.calendar)
    for day in (frame.start, frame.end):
        if not dates.first <= day <= dates.last:
            raise SpecErrors(
                [
                    SpecError(
                        "spec.range",
                        f"the calendar does not cover {day}",
                        where=frame.at,
                        expected=f"{dates.first} to {dates.last}",
                        found=str(day),
                    )
                ]
            )
    try:
        first = dates.offset(frame.start, -lookback)
    except QuantError:
        raise SpecErrors(
            [
                SpecError(
                    "spec.range",
                    f"the run needs {lookback} sessions before its start, before the calendar begins",
                    where=frame.at,
                    expected=f"a start after {dates.first}",
                    found=str(frame.start),
                )
            ]
        ) from None
    needed = [n for n in TABLES if n != "corporate_actions" or frame.prices == "raw"]
    sessions = dates.sessions(frame.start, frame.end)
    last = sessions[-1] if sessions else frame.end
    _refuse_unknown(frame, last)
    states, missing = [], []
    index = isinstance(resolved.universe.members, IndexMembers)
    for name in (*reported, *(MEMBERS if index else ())):
        state = catalog.table(name, frame.as_of)
        if state is not None:
            states.append(state)
        if name in reported and (state is None or not _covers(state, frame.start, last)):
            missing.append((name, "never fetched" if state is None else f"{state.start} to {state.end}"))
    if index and not any(s.name in MEMBERS for s in states):
        missing.append((MEMBERS[0], "never fetched"))
    for name in needed:
        state = catalog.table(name, frame.as_of)
        if state is None:
            if name in ("bars_1d", "instruments") or offers(resolved, name):
                missing.append((name, "never fetched"))
            continue
        states.append(state)
        if name in DAILY and not _covers(state, first, last):
            missing.append((name, f"{state.start} to {state.end}"))
    if missing:
        raise SpecErrors([_missing(missing, len(needed), first, frame, lookback, resolved)])
    return sorted(states, key=lambda s: TABLES.index(s.name) if s.name in TABLES else len(TABLES))


def _refuse_unknown(frame: Frame, last: date) -> None:
    """A run cannot go beyond what its knowledge time knows."""
    if frame.as_of is None:
        return
    zone = ZoneInfo(EXCHANGE_ZONES["XSHG"])
    if frame.as_of.astimezone(zone) < datetime.combine(last, time(15), zone):
        raise SpecErrors(
            [
                SpecError(
                    "spec.as_of",
                    f"the run goes to {last}, which was not over at its knowledge time",
                    where=frame.known_where or Location("--as-of"),
                    expected=f"an instant after the close of {last}, or a range that ends before it",
                    found=frame.as_of.astimezone(zone).isoformat(timespec="minutes"),
                )
            ]
        )


def offers(resolved: ResolvedSpec, table: str) -> bool:
    """Whether a source of the table can fill it; what none can fill is left out and said to be assumed."""
    spec = resolved.tables.get(table)
    if spec is None:
        return False
    found = [s for n in spec.from_ or () if (s := resolved.sources.get(n)) is not None]
    return any(
        not isinstance(source, FilesSource)
        or spec.dataset in source.datasets
        or (spec.dataset == "corporate_actions" and source.infer_events)
        for source in found
    )


def _covers(state: TableState, first: date, last: date) -> bool:
    return state.start is not None and state.end is not None and state.start <= first and state.end >= last


def _missing(
    missing: list[tuple[str, str]],
    needed: int,
    first: date,
    frame: Frame,
    lookback: int,
    resolved: ResolvedSpec,
) -> SpecError:
    """One error with the one command that fetches everything the run lacks."""
    names = [n for n, _ in missing]
    words = ["quant data sync", *(names if len(names) < needed else [])]
    words.append(f"--start {first} --end {frame.end}")
    if resolved.profile != resolved.default_profile:
        words.append(f"--profile {resolved.profile}")
    return SpecError(
        "data.missing",
        f"data are missing: {', '.join(names)}",
        where=frame.at,
        expected=f"sessions from {first} ({lookback} before the start) to {frame.end}; "
        "a later start needs less",
        found="; ".join(f"{n}: {have}" for n, have in missing),
        hint=" ".join(words) if frame.as_of is None else f"a later knowledge time, or {' '.join(words)}",
    )
