"""Which tables a run reads, and the one command that fetches what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from quant.core.errors import Location, QuantError, SpecError, SpecErrors
from quant.core.market.calendar import calendar
from quant.specs.compile.catalog import Catalog, TableState
from quant.specs.resolution import ResolvedSpec
from quant.specs.schema import FilesSource
from quant.specs.schema.trading import Fill

TABLES = ("instruments", "instrument_attributes", "bars_1d", "adjustment_factors", "corporate_actions")
DAILY = ("bars_1d", "adjustment_factors")


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


def table_states(resolved: ResolvedSpec, catalog: Catalog, frame: Frame, lookback: int) -> list[TableState]:
    """The tables the run reads. Raises SpecErrors naming the command that completes them."""
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
    states, missing = [], []
    sessions = dates.sessions(frame.start, frame.end)
    last = sessions[-1] if sessions else frame.end
    for name in needed:
        state = catalog.table(name)
        if state is None:
            if name in ("bars_1d", "instruments") or offers(resolved, name):
                missing.append((name, "never fetched"))
            continue
        states.append(state)
        if name in DAILY and not _covers(state, first, last):
            missing.append((name, f"{state.start} to {state.end}"))
    if missing:
        raise SpecErrors([_missing(missing, len(needed), first, frame, lookback, resolved)])
    return states


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
        hint=" ".join(words),
    )
