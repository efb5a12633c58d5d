"""Comparing two relations: align them, compare what is left, name what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from quant.warehouse.audit.compare.absence import Presence, explain_absence
from quant.warehouse.audit.compare.adjustment import DECLARED
from quant.warehouse.audit.compare.align import Around, Matched, Side, match
from quant.warehouse.audit.compare.causes import Kind, cause
from quant.warehouse.audit.compare.cells import Cells, Comparison, compare_rows
from quant.warehouse.audit.compare.columns import Crossed, crossed_columns, crossed_side
from quant.warehouse.audit.compare.consensus import judge_together
from quant.warehouse.audit.compare.dates import NAMES, Shift, find_shift, moves
from quant.warehouse.audit.compare.feed import Feed, MemoryFeed, Moved
from quant.warehouse.audit.compare.found import Found
from quant.warehouse.audit.compare.pairs import Pair, pairs
from quant.warehouse.audit.compare.precision import Allowance
from quant.warehouse.audit.compare.relation import (
    ADJUSTED,
    COMPARED,
    DEFAULT_TOLERANCES,
    OHLC,
    PRICES,
    Instruments,
    Ints,
    Listing,
    Relation,
    Tolerance,
)
from quant.warehouse.audit.compare.report import COVERAGE, AuditReport, findings_frame
from quant.warehouse.audit.compare.rows import RowClassifier, Verdicts
from quant.warehouse.audit.compare.scales import Scales
from quant.warehouse.audit.compare.summary import summarised
from quant.warehouse.audit.compare.systematic import collapse, single_findings
from quant.warehouse.audit.compare.telling import Judged, Settings
from quant.warehouse.audit.compare.units import learn_units

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKED_AT: Final = 50_000
_WIDE_ROWS: Final = 3
_MANY_ROWS: Final = 8
_MANY_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Request:
    """What is compared and how. ``codes`` names instruments by id."""

    table: str = "bars_1d"
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    listing: Listing = field(default_factory=Listing)
    codes: Mapping[object, str] = field(default_factory=dict)
    audit: str = "compare"
    stamp: datetime = _EPOCH
    only: Sequence[str] = ()
    """Fields to compare; empty: every field that both have."""


def compare(a: Relation, b: Relation, request: Request | None = None) -> AuditReport:
    """Compare two relations of bars or factors in memory."""
    keys = pl.concat([a.frame[a.key], b.frame[a.key]])
    asked = request or Request()
    return compare_feed(MemoryFeed(a, b), a, b, Instruments.of(keys, asked.codes), asked)


def compare_feed(
    feed: Feed, a: Relation, b: Relation, instruments: Instruments, request: Request
) -> AuditReport:
    """Compare two relations that come in pieces; of ``a`` and ``b`` only the columns and claims are used."""
    return _Comparing(feed, a, b, instruments, request).run()


class _Comparing:
    def __init__(
        self, feed: Feed, a: Relation, b: Relation, instruments: Instruments, request: Request
    ) -> None:
        self.feed, self.a, self.b = feed, a, b
        self.instruments, self.request = instruments, request
        shared = [n for n in COMPARED if n in a.frame.columns and n in b.frame.columns]
        self.fields = tuple(n for n in shared if not request.only or n in request.only)
        self.comparison, self.presence = Comparison(), Presence(instruments)
        self.judged = Judged()
        self.allowances: Mapping[str, Allowance] = {}
        self.quanta: Mapping[str, tuple[float, float]] = {}
        self.scales: Scales = {}
        self.undone: dict[str, Kind] = {}
        self.crossed: Crossed = {}
        self.notes: list[str] = []
        self.found: list[Found] = []
        self.rows = {"a": 0, "b": 0}
        self.ready = False

    def run(self) -> AuditReport:
        for chunk in self.feed.chunks():
            near = [None if f is None else self._side(f) for f in (chunk.around_a, chunk.around_b)]
            self._chunk(self._side(chunk.a), self._side(chunk.b), (near[0], near[1]))
        cells = Cells.join(self.comparison.parts, self.fields)
        dense = self._dense(cells)
        if dense.size:
            cells = self._whole_series(cells, dense)
        verdicts = self._classify(cells)
        self._tell(cells, verdicts)
        return self._report()

    def _side(self, frame: pl.DataFrame) -> Side:
        return Side.of(frame, self.instruments)

    # -- pieces

    def _chunk(self, a: Side, b: Side, around: Around) -> None:
        if not self.ready:
            b = self._align_dates(a, b)
        matched = match(a, self._right_columns(b), len(self.instruments))
        if not self.ready and len(matched.day):
            matched = self._align_columns(matched)
        self.presence.add(matched)
        if not len(matched.day):
            return
        if not self.ready:
            self._learn(matched)
        compare_rows(matched, self.fields, self.allowances, self.scales, self.comparison, around)

    def _align_dates(self, a: Side, b: Side) -> Side:
        """Move the whole of b when nearly all instruments looked at are shifted the same way."""
        common = np.intersect1d(np.unique(a.instrument), np.unique(b.instrument))
        picked = common[:: max(1, len(common) // NAMES)]
        found = find_shift(a, b, picked)
        kinds = [(s.cause, s.step) for s in found.values()]
        if not kinds or len(kinds) < 0.8 * len(picked):
            return b
        name, step = max(set(kinds), key=kinds.count)
        shift = next(s for s in found.values() if (s.cause, s.step) == (name, step))
        shown, meant = moves(a, b, shift)
        self.feed = Moved(self.feed, shown, meant)
        word = "late" if step > 0 else "early"
        what = "calendar day" if name == "time_zone" else "session"
        detail = f"every date of {{b}} is one {what} {word}: prices agree once it is undone"
        detail += f" ({len(kinds)} of {len(picked)} instruments looked at)"
        self.found.append(
            Found(name, "session", -1, int(b.day.min()), int(b.day.max()), len(b.day), detail, "b")
        )
        self.notes.append(f"dates of {self.b.name} moved by one {what}")
        at = np.searchsorted(shown, b.day)
        return b.moved(meant[at])

    def _align_columns(self, matched: Matched) -> Matched:
        """Give b's prices the names of the columns that they belong to."""
        rows = np.arange(min(len(matched.day), _LOOKED_AT))
        self.crossed = crossed_columns(matched, self.fields, rows)
        if not self.crossed:
            return matched
        side = crossed_side(matched, self.crossed, rows)
        text = ", ".join(f"{b} of {{b}} is {a} of {{a}}" for b, a in self.crossed.items())
        names = [n for n in self.fields if n in self.crossed]
        self.undone |= dict.fromkeys(names, "defect")
        self.found.append(Found(
            "swapped_columns", "/".join(names), -1, int(matched.day.min()), int(matched.day.max()),
            len(names) * len(matched.day), f"{text} on {len(rows)} rows looked at", side,
        ))  # fmt: skip
        self.notes.append(text.replace("{a}", self.a.name).replace("{b}", self.b.name))
        return replace(matched, b=self._right_columns(matched.b))

    def _right_columns(self, b: Side) -> Side:
        return replace(b, frame=b.frame.rename(self.crossed)) if self.crossed else b

    def _learn(self, matched: Matched) -> None:
        """Units and digits from a sample of the first rows that both have."""
        self.ready = True
        tolerances = {**DEFAULT_TOLERANCES, **self.request.tolerances}
        units = learn_units(matched, self.fields, (self.a, self.b), tolerances)
        self.allowances, self.quanta, self.scales = units.allowances, units.quanta, units.scales
        self.undone |= units.undone
        self.notes += units.notes
        self.found += units.found

    # -- whole series

    def _dense(self, cells: Cells) -> Ints:
        """Instruments whose whole series must be looked at: prices differ as a whole, or much differs."""
        claims = (self.a.claims.adjustment, self.b.claims.adjustment)
        families = any(n in ADJUSTED for n in (*self.a.frame.columns, *self.b.frame.columns))
        factors = "factor" in self.a.frame.columns or "factor" in self.b.frame.columns
        both = np.flatnonzero(self.presence.rows > 0)
        if isinstance(self.feed, MemoryFeed | Moved) and (
            claims[0] != claims[1] or families or (factors and "close" in self.fields)
        ):
            return both
        if not len(cells):
            return np.empty(0, dtype=np.int64)
        prices = [cells.at(n) for n in (*OHLC, *ADJUSTED) if n in self.fields]
        wide = (
            cells.bad[prices].sum(axis=0) >= min(2, len(prices))
            if prices
            else np.zeros(len(cells), dtype=bool)
        )
        count = len(self.instruments)
        rows = self.presence.rows
        wides = np.bincount(cells.instrument[wide], minlength=count)
        all_bad = np.bincount(cells.instrument, minlength=count)
        dense = (wides >= _WIDE_ROWS) & (wides >= 0.01 * rows)
        dense |= all_bad >= np.maximum(_MANY_ROWS, _MANY_SHARE * rows)
        dense |= (all_bad >= 2) & (all_bad >= 0.5 * rows)
        if "factor" in self.fields and "close" not in self.fields:
            dense |= all_bad >= _WIDE_ROWS  # a factor that is wrong stays wrong
        return np.flatnonzero(dense)

    def _whole_series(self, cells: Cells, dense: Ints) -> Cells:
        keys = self.instruments.keys.gather(dense)
        frame_a, frame_b = self.feed.series(keys)
        frame_b = frame_b.rename(self.crossed) if self.crossed else frame_b
        a, b = self._side(self._rescaled(frame_a, 0)), self._side(self._rescaled(frame_b, 1))
        compared = {name for name, _ in self.comparison.counts}
        silent = frozenset(n for n in self.fields if n not in compared)
        claims = (self.a.claims, self.b.claims)
        settings = Settings(self.fields, self.allowances, self.quanta, *claims, silent)
        shifts = find_shift(a, b, dense)
        own = self._own_columns()
        if shifts:
            self._tell_shifts(pairs(a, b, own), shifts, cells)

        def again() -> Iterator[Pair]:
            return (pair for pair in pairs(a, b, own) if pair.instrument not in shifts)

        judged, sides = judge_together(again, settings)
        self.judged.add(judged)
        self.found += [*sides, *judged.found]
        rest = cells.some(~np.isin(cells.instrument, dense))
        return Cells.join([rest, *self.judged.cells], self.fields)

    def _tell_shifts(self, every: Iterator[Pair], shifts: Mapping[int, Shift], cells: Cells) -> None:
        """Series that stand on other dates as a whole."""
        for pair in every:
            shift = shifts.get(pair.instrument)
            if shift is not None:
                rows = int(pair.both.sum())
                self.found.append(Found(
                    shift.cause, "session", pair.instrument, int(pair.day[0]), int(pair.day[-1]), rows,
                    f"the whole series of {{b}} is one {'day' if shift.cause == 'time_zone' else 'session'} "
                    f"{'late' if shift.step > 0 else 'early'}", "b", rows=rows,
                ))  # fmt: skip
                self._told_all(pair.instrument, cells)
                self.presence.forget(pair.instrument)

    def _own_columns(self) -> tuple[str, ...]:
        """The compared fields, and what either side has beside them for checking itself."""
        more = [
            n
            for n in (*PRICES, "volume", "amount", "factor", *ADJUSTED, "suspended")
            if n in self.a.frame.columns or n in self.b.frame.columns
        ]
        return tuple(dict.fromkeys([*self.fields, *more]))

    def _rescaled(self, frame: pl.DataFrame, side: int) -> pl.DataFrame:
        return frame.with_columns(
            pl.col(name).cast(pl.Float64) * scale[side]
            for name, scale in self.scales.items()
            if name in frame.columns
        )

    def _told_all(self, instrument: int, cells: Cells) -> None:
        mine = cells.instrument == instrument
        for number, name in enumerate(self.fields):
            bad = mine & cells.bad[number]
            if bad.any():
                self.judged.told.append((name, "defect", cells.day[bad]))

    # -- telling

    def _classify(self, cells: Cells) -> Verdicts:
        versions = bool(self.a.claims.vendor) and self.a.claims.vendor == self.b.claims.vendor
        declared = self.a.claims.units and self.b.claims.units
        adjusted = {self.a.claims.adjustment, self.b.claims.adjustment} <= set(DECLARED)
        worker = RowClassifier(
            cells, self.allowances, self.instruments.codes, declared=declared, adjusted=adjusted
        )
        return worker.run(versions=versions)

    def _tell(self, cells: Cells, verdicts: Verdicts) -> None:
        singles = single_findings(cells, verdicts, self.instruments)
        for number, name in enumerate(self.fields):
            for which in np.unique(verdicts.cause[number][verdicts.cause[number] >= 0]).tolist():
                kind = cause(verdicts.names[which]).kind
                self.judged.told.append((name, kind, cells.day[verdicts.cause[number] == which]))
        lone = explain_absence(self.presence, self.request.listing)
        everything = [*self.found, *singles, *lone]
        self.found = collapse(everything, self.presence.rows, self.presence.matched, self.instruments)
        self.found += self._tolerated()

    def _tolerated(self) -> list[Found]:
        found = []
        for why, spreads in (("", self.comparison.allowed), ("suspended_prices", self.comparison.asleep)):
            for name, spread in spreads.items():
                allowance = self.allowances.get(name)
                label = why or (allowance.why if allowance else "tolerance")
                coarse = allowance is not None and allowance.coarse and not why
                detail = allowance.detail if allowance and not why else "no trading on the session"
                found.append(Found(
                    label, name, -1, spread.first, spread.last, spread.cells,
                    f"{spread.cells:,} cells: {detail}; at most {spread.difference:.6g} apart", "",
                    "convention" if coarse else None, None, None, spread.difference, spread.relative,
                ))  # fmt: skip
        return found

    def _report(self) -> AuditReport:
        names = (self.a.name, self.b.name)
        shown = [f for f in self.found if f.cause not in COVERAGE]
        aside = [f for f in self.found if f.cause in COVERAGE]
        frame = [
            findings_frame(
                part, self.instruments, self.request.table, *names, self.request.audit, self.request.stamp
            )
            for part in (shown, aside)
        ]
        rows: dict[str, Any] = {
            "table": self.request.table,
            "a": names[0],
            "b": names[1],
            "matched": int(self.presence.rows.sum()),
            "instruments": int((self.presence.rows > 0).sum()),
            "only_a": sum(len(p.day) for p in self.presence.lone["a"]),
            "only_b": sum(len(p.day) for p in self.presence.lone["b"]),
        }
        spelt = (self.a.claims.spelling, self.b.claims.spelling)
        if all(spelt) and spelt[0] != spelt[1]:
            self.notes.insert(0, f"codes: {names[0]} writes {spelt[0]}, {names[1]} writes {spelt[1]}")
        base = {"table": self.request.table, "a": names[0], "b": names[1]}
        summary = summarised(
            base, self.fields, self.comparison, self.presence, self.judged.told, self.found, self.undone
        )
        return AuditReport(self.request.table, summary, frame[0], frame[1], tuple(self.notes), (rows,))
