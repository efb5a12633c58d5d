"""Rows that only one source has: every one gets its reason, as far as the data say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.align import Matched, Side
from quant.warehouse.audit.compare.found import Found, day_text, listed
from quant.warehouse.audit.compare.relation import Bools, Instruments, Ints, Listing

_FAR: Final = 2**31
_TAIL: Final = 2
_WHOLE_DAY: Final = 0.8
_FEWEST: Final = 5


@dataclass(slots=True)
class Spans:
    """First and last day of each instrument on one side, and of all of them."""

    first: Ints
    last: Ints

    @classmethod
    def empty(cls, count: int) -> Spans:
        return cls(np.full(count, _FAR, dtype=np.int64), np.full(count, -_FAR, dtype=np.int64))

    def add(self, side: Side) -> None:
        """Take note of a part; parts come in time order, rows within one in any."""
        if not len(side.day):
            return
        low, high = int(side.day.min()), int(side.day.max())
        seen = np.zeros((high - low + 1, len(self.first)), dtype=bool)
        seen.reshape(-1)[(side.day - low) * len(self.first) + side.instrument] = True
        there = seen.any(axis=0)
        first, last = seen.argmax(axis=0) + low, high - seen[::-1].argmax(axis=0)
        self.first = np.where(there, np.minimum(self.first, first), self.first)
        self.last = np.where(there, np.maximum(self.last, last), self.last)

    @property
    def window(self) -> tuple[int, int]:
        return int(self.first.min()), int(self.last.max())


@dataclass(frozen=True, slots=True)
class Lone:
    """Rows of one side whose key the other lacks."""

    instrument: Ints
    day: Ints
    asleep: Bools


@dataclass(slots=True)
class Presence:
    """What both sides hold, gathered chunk by chunk."""

    instruments: Instruments
    spans: dict[str, Spans] = field(default_factory=dict)
    lone: dict[str, list[Lone]] = field(default_factory=lambda: {"a": [], "b": []})
    again: dict[str, list[tuple[Ints, Ints]]] = field(default_factory=lambda: {"a": [], "b": []})
    matched: dict[tuple[str, int], int] = field(default_factory=dict)
    rows: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Matched rows by instrument."""

    def __post_init__(self) -> None:
        count = len(self.instruments)
        self.spans = {"a": Spans.empty(count), "b": Spans.empty(count)}
        self.rows = np.zeros(count, dtype=np.int64)

    def add(self, matched: Matched) -> None:
        for name, side, only, again in (
            ("a", matched.a, matched.only_a, matched.again_a),
            ("b", matched.b, matched.only_b, matched.again_b),
        ):
            self.spans[name].add(side)
            self.lone[name].append(Lone(side.instrument[only], side.day[only], _asleep(side, only)))
            self.again[name].append((side.instrument[again], side.day[again]))
        self.rows += np.bincount(matched.instrument, minlength=len(self.instruments))
        self._days(matched.instrument, matched.day)

    def forget(self, instrument: int) -> None:
        """Leave an instrument's lone rows out: its dates are known to be shifted."""
        for parts in self.lone.values():
            for number, part in enumerate(parts):
                keep = part.instrument != instrument
                parts[number] = Lone(part.instrument[keep], part.day[keep], part.asleep[keep])

    def _days(self, instrument: Ints, day: Ints) -> None:
        names, number = _markets(self.instruments)
        if not len(day):
            return
        first = int(day.min())
        span = int(day.max()) - first + 1
        counts = np.bincount(number[instrument] * span + (day - first), minlength=span * len(names))
        for place in np.flatnonzero(counts).tolist():
            key = (names[place // span], first + place % span)
            self.matched[key] = self.matched.get(key, 0) + int(counts[place])


def explain_absence(presence: Presence, listing: Listing) -> list[Found]:
    """Every lone row under its reason; rows of one reason are told together where they belong together."""
    found: list[Found] = []
    for have, lack in (("a", "b"), ("b", "a")):
        parts = presence.lone[have]
        if parts:
            lone = Lone(
                np.concatenate([p.instrument for p in parts]),
                np.concatenate([p.day for p in parts]),
                np.concatenate([p.asleep for p in parts]),
            )
            found += _Absence(presence, listing, lone, have, lack).explain()
        for instrument, day in presence.again[have]:
            found += [
                Found(
                    "duplicated_row", "bar", int(i), int(d), int(d), 1, "the key occurs more than once", have
                )
                for i, d in zip(instrument.tolist(), day.tolist(), strict=True)
            ]
    return found


class _Absence:
    def __init__(self, presence: Presence, listing: Listing, lone: Lone, have: str, lack: str) -> None:
        self.presence, self.listing, self.lone = presence, listing, lone
        self.have, self.lack = have, lack
        self.left = np.ones(len(lone.day), dtype=bool)
        self.found: list[Found] = []

    def explain(self) -> list[Found]:
        spans = self.presence.spans[self.lack]
        i, day = self.lone.instrument, self.lone.day
        if not len(day):
            return []
        unknown = spans.first[i] == _FAR
        self._together(unknown, "coverage", "", "instruments that the other source does not have")
        low, high = spans.window
        self._together(
            (day < low) | (day > high), "coverage", "", "dates that the other source does not cover"
        )
        self._each(self._closed(), "non_session", self.have, "the exchange is closed on this day")
        self._together(
            self.lone.asleep, "suspended_rows", "", "no volume: the other source leaves such sessions out"
        )
        self._each(self._unlisted(), "extra_row", self.have, "the instrument is not listed on this day")
        self._tails(spans.first, spans.last)
        self._days()
        self._each(self.left.copy(), "missing_row", self.lack, "{lack} has no row")
        return self.found

    def _closed(self) -> Bools:
        day = self.lone.day
        if self.listing.sessions:
            known = np.asarray(self.listing.sessions)
            closed: Bools = (day >= known[0]) & (day <= known[-1]) & ~np.isin(day, known)
            return closed
        weekend = (day + 3) % 7 >= 5
        often = sum(n for (_, d), n in self.presence.matched.items() if (d + 3) % 7 >= 5)
        return weekend & (often == 0)

    def _unlisted(self) -> Bools:
        out = np.zeros(len(self.lone.day), dtype=bool)
        frame = self.listing.frame
        if frame is None:
            return out
        count = len(self.presence.instruments)
        first, last = np.full(count, -_FAR), np.full(count, _FAR)
        known = frame.filter(
            frame[self.presence.instruments.column].is_in(self.presence.instruments.keys.implode())
        )
        number = self.presence.instruments.numbers(known[self.presence.instruments.column])
        for name, target in (("list_date", first), ("delist_date", last)):
            days = known[name].to_physical().cast(int).to_list()
            for n, value in zip(number.tolist(), days, strict=True):
                if value is not None:
                    target[n] = value
        i, day = self.lone.instrument, self.lone.day
        unlisted: Bools = (day < first[i]) | (day >= last[i])
        return unlisted

    def _tails(self, first: Ints, last: Ints) -> None:
        """Histories that start later or end earlier on one side, one finding an instrument."""
        i, day = self.lone.instrument, self.lone.day
        for hit, word in ((day < first[i], "starts"), (day > last[i], "ends")):
            hit = hit & self.left
            for number in np.unique(i[hit]).tolist():
                rows = np.flatnonzero(hit & (i == number))
                if len(rows) <= _TAIL:
                    continue
                edge = first[number] if word == "starts" else last[number]
                self.found.append(Found(
                    "truncated_history", "bar", number, int(day[rows].min()), int(day[rows].max()), len(rows),
                    f"{{{self.lack}}} {word} on {day_text(edge)}, {{{self.have}}} has {len(rows)} rows more",
                    self.lack,
                ))  # fmt: skip
                self.left[rows] = False

    def _days(self) -> None:
        names, number = _markets(self.presence.instruments)
        market, day = number[self.lone.instrument], self.lone.day
        keys, counts = np.unique(np.stack([market, day])[:, self.left], axis=1, return_counts=True)
        for (m, d), count in zip(keys.T.tolist(), counts.tolist(), strict=True):
            there = self.presence.matched.get((names[m], d), 0)
            if count >= _FEWEST and count >= _WHOLE_DAY * (count + there):
                rows = self.left & (market == m) & (day == d)
                self.found.append(Found(
                    "missing_day", "bar", -1, d, d, count,
                    f"{{{self.lack}}} lacks {count} of {count + there} rows of the market on {day_text(d)}",
                    self.lack, market=names[m],
                ))  # fmt: skip
                self.left &= ~rows

    def _together(self, hit: Bools, cause: str, suspect: str, detail: str) -> None:
        hit = hit & self.left
        if hit.any():
            days, who = self.lone.day[hit], np.unique(self.lone.instrument[hit])
            shown = listed([self.presence.instruments.codes[n] for n in who.tolist()])
            text = f"{int(hit.sum())} rows only in {{{self.have}}}: {detail}; {len(who)} instruments: {shown}"
            one = int(who[0]) if len(who) == 1 else -1
            self.found.append(
                Found(cause, "bar", one, int(days.min()), int(days.max()), int(hit.sum()), text, suspect)
            )
            self.left &= ~hit

    def _each(self, hit: Bools, cause: str, suspect: str, detail: str) -> None:
        hit = hit & self.left
        text = detail.replace("{lack}", f"{{{self.lack}}}")
        self.found += [
            Found(cause, "bar", n, d, d, 1, text, suspect)
            for n, d in zip(self.lone.instrument[hit].tolist(), self.lone.day[hit].tolist(), strict=True)
        ]
        self.left &= ~hit


def _markets(instruments: Instruments) -> tuple[list[str], Ints]:
    names = [instruments.market(n) for n in range(len(instruments))]
    known = sorted(set(names))
    return known, np.array([known.index(name) for name in names], dtype=np.int64)


def _asleep(side: Side, rows: Ints) -> Bools:
    """Lone rows in which nothing was traded."""
    asleep = np.zeros(len(rows), dtype=bool)
    if not rows.size:
        return asleep
    if "volume" in side.frame.columns:
        volume = side.values("volume", rows)
        price = side.values("close", rows) if "close" in side.frame.columns else np.zeros(len(rows))
        asleep |= (volume == 0) | (np.isnan(volume) & np.isnan(price))
    if "suspended" in side.frame.columns:
        asleep |= side.values("suspended", rows) == 1
    return asleep
