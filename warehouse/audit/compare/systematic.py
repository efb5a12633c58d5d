"""One break is one finding: cells that belong together are told together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from quant.warehouse.audit.compare.cells import Cells
from quant.warehouse.audit.compare.found import Found, day_text, largest, listed
from quant.warehouse.audit.compare.relation import Instruments, Ints
from quant.warehouse.audit.compare.rows import Verdicts

_FEWEST: Final = 5
_MANY: Final = 20
_RUN: Final = 3
_HOLIDAYS: Final = 12
_SHARE_OF_DAY: Final = 0.25
_SHARE_OF_NAME: Final = 0.25
_SHARE_OF_ALL: Final = 0.5
_WHO: Final = ("", "a", "b")
MOST: Final = 20_000


def single_findings(cells: Cells, verdicts: Verdicts, instruments: Instruments) -> list[Found]:
    """A finding for every cell, one for the whole bar where the bar is what is wrong."""
    found: list[Found] = []
    known = verdicts.cause >= 0
    for row in np.flatnonzero(verdicts.whole & known.any(axis=0)).tolist():
        found += _of_bar(cells, verdicts, row)
    for f, n in np.argwhere(known & ~verdicts.whole[None, :]).tolist():
        found.append(_of_cell(cells, verdicts, f, n, instruments))
    return _swaps_once(found)


def _of_bar(cells: Cells, verdicts: Verdicts, row: int) -> list[Found]:
    """The cells of one row by cause: a bar that is wrong as a whole is one finding."""
    found = []
    column = verdicts.cause[:, row]
    for number in np.unique(column[column >= 0]).tolist():
        at = np.flatnonzero(column == number)
        pick = cells.at("close") if cells.at("close") in at else int(at[0])
        a, b = cells.a[at, row], cells.b[at, row]
        detail = _beside(cells, row, verdicts.names[number])
        found.append(Found(
            verdicts.names[number], "bar", int(cells.instrument[row]), int(cells.day[row]),
            int(cells.day[row]), len(at), detail, _WHO[int(verdicts.suspect[pick, row])], None,
            float(cells.a[pick, row]), float(cells.b[pick, row]), *_apart(a, b),
        ))  # fmt: skip
    return found


def _of_cell(cells: Cells, verdicts: Verdicts, f: int, n: int, instruments: Instruments) -> Found:
    a, b = float(cells.a[f, n]), float(cells.b[f, n])
    name = verdicts.names[int(verdicts.cause[f, n])]
    who = _WHO[int(verdicts.suspect[f, n])]
    detail = f"{instruments.codes[int(cells.instrument[n])]}: {_number(a)} against {_number(b)}"
    if (
        a
        and b
        and name
        in (
            "lots",
            "thousand_yuan",
            "ten_thousand_yuan",
            "price_scale",
            "wrong_unit",
            "unit",
            "percent_vs_ratio",
            "after_tax_cash",
        )
    ):
        detail += f", ratio {b / a:.6g}"
    return Found(
        name, cells.fields[f], int(cells.instrument[n]), int(cells.day[n]), int(cells.day[n]), 1, detail, who,
        None, a, b, *_apart(np.array([a]), np.array([b])),
    )  # fmt: skip


def _beside(cells: Cells, row: int, name: str) -> str:
    c = max(cells.at("close"), 0)
    before, after = cells.values["a_prev"][c, row], cells.values["a_next"][c, row]
    shown = f"{_number(float(cells.a[c, row]))} against {_number(float(cells.b[c, row]))}"
    if name in ("shifted_day", "stale_bar"):
        beside = f"the session before closed at {_number(float(before))}, the next at {_number(float(after))}"
        return f"close {shown}; {beside}"
    return f"close {shown}"


def _apart(a: np.ndarray, b: np.ndarray) -> tuple[float | None, float | None]:
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(b - a)
        relative = off / np.maximum(np.abs(a), np.abs(b))
    known = np.isfinite(off)
    if not known.any():
        return None, None
    return float(off[known].max()), float(np.nanmax(np.where(np.isfinite(relative), relative, 0.0)))


def _number(value: float) -> str:
    return "nothing" if np.isnan(value) else f"{value:.10g}"


def _swaps_once(found: list[Found]) -> list[Found]:
    """Two swapped cells of a row are one finding."""
    grouped: dict[tuple[int, int], list[Found]] = defaultdict(list)
    rest = []
    for one in found:
        if one.cause == "swapped_columns":
            grouped[one.instrument, one.first].append(one)
        else:
            rest.append(one)
    for parts in grouped.values():
        first = parts[0]
        rest.append(_merged(parts, "/".join(p.field for p in parts), first.instrument, first.detail))
    return rest


def collapse(
    found: Sequence[Found],
    rows: Ints,
    matched: Mapping[tuple[str, int], int],
    instruments: Instruments,
    eligible: Mapping[str, int] | None = None,
    *,
    dated: bool = True,
) -> list[Found]:
    """Tell systematic breaks once: a vendor's field, a day of a market, an instrument, a run of days; of a
    table without dates a vendor's field.
    """
    total = int(rows.sum())
    sole = [f for f in found if f.instrument < 0]
    groups: dict[tuple[str, str, str, str], list[Found]] = defaultdict(list)
    for one in found:
        if one.instrument >= 0:
            groups[one.cause, one.field, one.suspect, one.nature].append(one)
    out = list(sole)
    for (name, field, _, _), group in sorted(groups.items()):
        vendors = _of_all(name, group, rows, total, instruments, eligible or {})
        if vendors is not None or not dated:
            out += [vendors] if vendors is not None else group
        else:
            out += _by_day_and_name(field, group, rows, matched, instruments)
    return _capped(out)


def _of_all(
    name: str,
    group: list[Found],
    rows: Ints,
    total: int,
    instruments: Instruments,
    eligible: Mapping[str, int],
) -> Found | None:
    """The one finding that a group is, where it is about a vendor's whole field."""
    who = {f.instrument for f in group}
    there = int((rows > 0).sum())
    cells = sum(_rows_of(f) for f in group)
    could = eligible.get(name, total)
    broad = len(who) >= 3 and (len(who) >= _SHARE_OF_ALL * there and _long(group, rows))
    if len(group) > 1 and (broad or (len(group) >= _FEWEST and cells >= _SHARE_OF_ALL * max(could, 1))):
        codes = [instruments.codes[n] for n in sorted(who)]
        shown = f"{len(who)} of {there}" if len(who) <= there else f"{len(who)}"
        text = f"{shown} instruments ({listed(codes)}), e.g. {group[0].detail}"
        return _merged(group, group[0].field, -1, text)
    return None


def _by_day_and_name(
    field: str,
    group: list[Found],
    rows: Ints,
    matched: Mapping[tuple[str, int], int],
    instruments: Instruments,
) -> list[Found]:
    """Findings of a day of a market, of an instrument, of a run of days, and single ones."""
    left, out = _by_day(group, matched, instruments, field)
    by_name: dict[int, list[Found]] = defaultdict(list)
    for one in left:
        by_name[one.instrument].append(one)
    for number, own in by_name.items():
        share = sum(_rows_of(f) for f in own) / max(int(rows[number]), 1)
        if len(own) >= _MANY or (len(own) >= _FEWEST and share >= _SHARE_OF_NAME):
            out.append(_merged(own, field, number, f"{len(own)} sessions, e.g. {own[0].detail}"))
        else:
            out += _runs(own, field)
    return out


def _long(group: list[Found], rows: Ints) -> bool:
    """Whether the findings are about whole series or large parts of them, not single cells."""
    return any(
        _rows_of(f) >= _FEWEST and _rows_of(f) >= 0.05 * max(int(rows[f.instrument]), 1) for f in group
    )


def _rows_of(one: Found) -> int:
    return (
        one.cells // 4
        if one.field == "prices"
        else 1
        if one.field == "bar" and one.first == one.last
        else one.cells
    )


def _by_day(
    group: list[Found], matched: Mapping[tuple[str, int], int], instruments: Instruments, field: str
) -> tuple[list[Found], list[Found]]:
    """Findings of a day that hit a large part of a market."""
    days: dict[tuple[str, int], list[Found]] = defaultdict(list)
    for one in group:
        if one.first == one.last:
            days[instruments.market(one.instrument), one.first].append(one)
    whole: set[int] = set()
    out = []
    for (market, day), own in days.items():
        there = matched.get((market, day), 0)
        if len(own) >= _FEWEST and len(own) >= _SHARE_OF_DAY * there:
            codes = [instruments.codes[f.instrument] for f in own]
            text = f"{len(own)} of {there} instruments of {market or 'the market'} on {day_text(day)}"
            text += f" ({listed(codes)})"
            merged = _merged(own, field, -1, f"{text}, e.g. {own[0].detail}", market)
            out.append(merged)
            whole |= {id(f) for f in own}
    return [f for f in group if id(f) not in whole], _day_runs(out, field)


def _day_runs(days: list[Found], field: str) -> list[Found]:
    """A break that goes on from session to session is one; holidays do not end it."""
    out: list[Found] = []
    for market in sorted({one.market for one in days}):
        runs: list[list[Found]] = []
        for one in sorted((one for one in days if one.market == market), key=lambda f: f.first):
            if runs and one.first - runs[-1][-1].last <= _HOLIDAYS:
                runs[-1].append(one)
            else:
                runs.append([one])
        for run in runs:
            if len(run) < _RUN:
                out += run
                continue
            last = day_text(run[-1].last)
            text = f"{len(run)} sessions from {day_text(run[0].first)} to {last}, e.g. {run[0].detail}"
            out.append(_merged(run, field, -1, text, market))
    return out


def _runs(own: list[Found], field: str) -> list[Found]:
    """Three and more findings in a row of days are one; a week-end or a holiday does not end a run."""
    out: list[Found] = []
    run: list[Found] = []
    for one in [*sorted(own, key=lambda f: f.first), None]:
        if one is not None and run and one.first - run[-1].last <= 4:
            run.append(one)
            continue
        if len(run) >= 3:
            out.append(
                _merged(run, field, run[0].instrument, f"{len(run)} sessions in a row, e.g. {run[0].detail}")
            )
        else:
            out += run
        run = [one] if one is not None else []
    return out


def _capped(found: list[Found]) -> list[Found]:
    """A flood of single cells becomes one finding an instrument, and if need be one a class."""
    for key in (
        lambda f: (f.cause, f.field, f.suspect, f.instrument),
        lambda f: (f.cause, f.field, f.suspect, -1),
    ):
        if len(found) <= MOST:
            break
        groups: dict[tuple[str, str, str, int], list[Found]] = defaultdict(list)
        for one in found:
            groups[key(one)].append(one)
        found = [
            own[0]
            if len(own) == 1
            else _merged(own, k[1], k[3], f"{len(own)} findings, e.g. {own[0].detail}")
            for k, own in groups.items()
        ]
    return found


def _merged(parts: Sequence[Found], field: str, instrument: int, detail: str, market: str = "") -> Found:
    first = parts[0]
    worst = max(parts, key=lambda f: f.relative or 0.0)
    return Found(
        first.cause, field, instrument, min(f.first for f in parts), max(f.last for f in parts),
        sum(f.cells for f in parts), detail, first.suspect, first.kind, worst.value_a, worst.value_b,
        largest([f.difference for f in parts]), largest([f.relative for f in parts]),
        sum(f.rows for f in parts), market,
    )  # fmt: skip
