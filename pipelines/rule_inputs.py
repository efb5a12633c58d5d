"""What ``quant rules check --files`` is given: bars, and beside them distributions and listing dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, QuantError, UsageError
from quant.pipelines.audit_inputs import Input, read_input
from quant.warehouse.audit.headers import read_code
from quant.warehouse.audit.sniffing import payload, sniffed
from quant.warehouse.normalize.texts import plain_headers
from quant.warehouse.rulecheck import Known, Side
from quant.warehouse.sources.files import FilesSource
from quant.warehouse.sources.settings import SourceSettings

HEADERS_SAY: Final = "-"
"""In the place of a spec: the file is read by its headers."""
_CODES: Final = ("tscode", "code", "symbol", "股票代码", "证券代码")
_LISTED: Final = ("listdate", "ipodate", "上市日期", "timetomarket", "startdate")
_ZERO: Final = 0.0
_AMOUNTS: Final = ("cash_per_share", "bonus_ratio", "rights_ratio", "rights_price")
_EXACT: Final = {"cash_per_share": 6, "bonus_ratio": 8, "rights_ratio": 8, "rights_price": 6}


@dataclass(frozen=True, slots=True)
class Inputs:
    """Sides to check, and what else the files say."""

    sides: tuple[Side, ...]
    known: Known


def read_inputs(
    paths: Sequence[str],
    specs: Sequence[str],
    end: date | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> Inputs:
    """Every path as a side, a list of instruments, or distributions. ``specs``: none, one for all paths, or
    one a path in their order, ``-`` where the headers say it.

    Raises UsageError, CheckFailed for files nobody can read, and where no path has bars.
    """
    sides: list[Side] = []
    events: list[pl.DataFrame] = []
    listed: list[pl.DataFrame] = []
    spells: list[pl.DataFrame] = []
    for text, spec in zip(paths, _matched(paths, specs), strict=True):
        said(f"reading {text}")
        source = read_input(text, spec)
        if source.settings is None:
            side = _bare(source, listed)
            sides += [side] if side is not None else []
            continue
        offered = source.offers()
        for dataset, keep in (("corporate_actions", events), ("instruments", listed),
                              ("instrument_attributes", spells)):  # fmt: skip
            if dataset in source.settings.datasets:
                keep.append(source.load(dataset, None, end).relation.frame)
        if "bars_1d" in offered and (not source.settings.datasets or "bars_1d" in source.settings.datasets):
            sides.append(_side(source, end))
    if not sides:
        raise UsageError(
            "rules.no_bars",
            "none of the files holds daily bars",
            expected="at least one file, folder or source spec with bars_1d",
            found=", ".join(paths),
        )
    _different(sides)
    return Inputs(tuple(sides), Known(events_of(events), _listed(listed), _spells(spells)))


def events_of(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Distributions as code, ex_session, kind, exact amounts a share; those of nothing are left out."""
    parts = []
    for frame in frames:
        lacking = {n: pl.lit(None, pl.Float64) for n in (*_AMOUNTS, "bonus_only_ratio", "conversion_ratio")
                   if n not in frame.columns}  # fmt: skip
        kind = {} if "kind" in frame.columns else {"kind": pl.lit(None, pl.String)}
        whole = frame.with_columns(**lacking, **kind)
        split = pl.col("bonus_only_ratio").fill_null(_ZERO) + pl.col("conversion_ratio").fill_null(_ZERO)
        whole = whole.with_columns(bonus_ratio=pl.coalesce("bonus_ratio", split))
        exact = [
            pl.col(name)
            .cast(pl.Float64)
            .fill_null(_ZERO)
            .round(places)
            .cast(pl.Decimal(18, places))
            .alias(name)
            for name, places in _EXACT.items()
        ]
        whole = whole.select("code", "ex_session", "kind", *exact)
        parts.append(whole.filter(
            pl.any_horizontal(pl.col("cash_per_share", "bonus_ratio", "rights_ratio") > 0)
            | (pl.col("kind") == "reform").fill_null(value=False)
        ))  # fmt: skip
    if not parts:
        return Known().events
    return pl.concat(parts).unique(["code", "ex_session"], keep="first", maintain_order=True)


def _matched(paths: Sequence[str], specs: Sequence[str]) -> list[str | None]:
    if len(specs) not in (0, 1, len(paths)):
        raise UsageError(
            "rules.specs",
            f"{len(specs)} specs for {len(paths)} files",
            expected="none, one for all, or one a file in their order (- for a file that needs none)",
            found=", ".join(specs),
        )
    given = list(specs) if len(specs) == len(paths) else list(specs) * len(paths)
    return [None if each == HEADERS_SAY else each for each in given] or [None] * len(paths)


def _bare(source: Input, listed: list[pl.DataFrame]) -> Side | None:
    """A file by its headers: bars, or a list of instruments."""
    assert source.path is not None
    try:
        return _side(source, None)
    except CheckFailed as error:
        if error.fault.code != "audit.headers" or not source.path.is_file():
            raise
        dates = _listing_dates(source.path)
        if dates is None:
            raise
        listed.append(dates)
        return None


def _side(source: Input, end: date | None) -> Side:
    loaded = source.load("bars_1d", None, end)
    relation = loaded.relation
    if "session" not in relation.frame.columns or "code" not in relation.frame.columns:
        raise UsageError("rules.no_bars", f"{source.name} has no code or no date", found=source.name)
    return Side(source.name, relation.frame, relation.claims.adjustment, loaded.notes)


def _listing_dates(path: Path) -> pl.DataFrame | None:
    """code and list_date of a list of instruments; None for a file that is none."""
    reader = FilesSource(
        SourceSettings("list", "files", root=path.parent, datasets={"bars_1d": sniffed(path)})
    )
    try:
        rows = plain_headers(reader.parse(payload(path)))
    except QuantError:
        return None
    names = {re.sub(r"[\s_\ufeff]", "", name).lower(): name for name in reversed(rows.columns)}
    code = next((names[each] for each in _CODES if each in names), None)
    day = next((names[each] for each in _LISTED if each in names), None)
    if code is None or day is None:
        return None
    text = pl.col(day).cast(pl.String).str.strip_chars().str.slice(0, 10)
    dates = pl.coalesce(text.str.to_date(form, strict=False) for form in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"))
    spelled = {each: read_code(each) for each in rows[code].cast(pl.String).unique().to_list() if each}
    return rows.select(
        pl.col(code)
        .cast(pl.String)
        .replace_strict(spelled, default=None, return_dtype=pl.String)
        .alias("code"),
        dates.alias("list_date"),
    ).drop_nulls()


def _listed(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    dated = [f.select("code", "list_date").drop_nulls() for f in frames if "list_date" in f.columns]
    return pl.concat(dated).unique("code", keep="first") if dated else Known().listed


def _spells(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if not frames:
        return Known().spells
    whole = [
        f if "to_session" in f.columns else f.with_columns(to_session=pl.lit(None, pl.Date)) for f in frames
    ]
    return pl.concat(f.select(Known().spells.columns) for f in whole)


def _different(sides: Sequence[Side]) -> None:
    names = [side.name for side in sides]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            "rules.same_name", f"two files are called {twice}", expected="files of different names",
            found=", ".join(names), hint="give their folders, or copy one under another name",
        )  # fmt: skip
