"""Every fault that is planted in a vendor's file is fixed, quarantined, refused or reported as documented.

The faults and their outcomes are the table of docs/data-quality.md; this suite is made from it.
"""

from __future__ import annotations

import os
import random
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from vendor_faults import CODES, DAYS, EVENTS, FAULTS, LISTED, Key, Planted, csv, market, settings

from quant.core.errors import QuantError
from quant.warehouse.audit import Listing, TableRule, run_check
from quant.warehouse.contracts.check import check
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake
from quant.warehouse.normalize import Context, Identities
from quant.warehouse.normalize.context import ROW
from quant.warehouse.normalize.rows import as_rejected, normalize, stack
from quant.warehouse.sources.files import FilesSource
from quant.warehouse.sources.port import Payload

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-quality.md"
LINE = re.compile(r"^\| `(\w+)` \| (.+?) \| (fixed|quarantined|refused|reported) \| (.*?) \|$", re.MULTILINE)
EXPECTED = {
    name: (outcome, code.strip("` ")) for name, _, outcome, code in LINE.findall(PAGE.read_text("utf-8"))
}
SEEDS = range(20) if os.environ.get("QUANT_SOAK") == "1" else range(2)
CHECKS = (
    *("contract", "unique", "ohlc_order", "within_limits", "rows_vs_calendar", "pre_close_chain"),
    *("time_order", "duplicate_rate", "missing_rate", "price_consistency", "absence"),
)
WITHOUT_PROVENANCE = [n for n in contract("bars_1d").names if n not in ("payload", "recorded_at", "source")]


@dataclass
class Cleaned:
    rows: pl.DataFrame
    rejected: pl.DataFrame
    keys: dict[int, str]

    def found(self, name: str) -> pl.DataFrame:
        """The rows a check of the stored table complains of, by code and session."""
        code = pl.col("instrument_id").replace_strict(self.keys, return_dtype=pl.String).alias("code")
        named = EVENTS.with_columns(
            instrument_id=pl.col("code").replace_strict(
                {c: i for i, c in self.keys.items()}, return_dtype=pl.Int64
            )
        )
        instruments = pl.DataFrame({"instrument_id": list(self.keys)}).with_columns(
            list_date=pl.lit(LISTED), delist_date=pl.lit(None, pl.Date)
        )
        listing = Listing(instruments, DAYS[0], DAYS[-1], events=named.drop("code"))
        result = run_check(TableRule(name), "bars_1d", self.rows, listing)
        assert result.passed == (result.failing == 0)
        return result.sample.with_columns(code) if "instrument_id" in result.sample.columns else result.sample


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    lake = Lake(tmp_path_factory.mktemp("faults") / "lake")
    identities = Identities(lake)
    rows = [(identities.mint(code, LISTED), code, "SSE_MAIN" if code.endswith("SH") else "SZSE_MAIN", LISTED)
            for code in CODES]  # fmt: skip
    master = pl.DataFrame(rows, schema=["instrument_id", "code", "board", "list_date"], orient="row")
    stamp = datetime(2026, 1, 2, 3, tzinfo=UTC)
    return Context(settings(Planted(b"")), identities, master, stamp, date(2024, 4, 12))


def cleaned(planted: Planted, context: Context) -> Cleaned:
    """The path of a sync: parse, normalise, check against the contract."""
    from dataclasses import replace

    source = settings(planted)
    target = contract("bars_1d")
    media = "text/csv+gzip" if planted.name.endswith(".gz") else "text/csv"
    payload = Payload("bars_1d", planted.content, media, {"path": planted.name})
    vendor = stack([("digest", FilesSource(source).parse(payload))], source.datasets["bars_1d"])
    done = normalize("bars_1d", vendor, replace(context, source=source))
    verdict = check(target, done.rows, carry=(ROW,))
    codes = context.identities.codes(verdict.bad["instrument_id"])
    broken = as_rejected(verdict.bad.with_columns(codes), target, vendor)
    rejected = pl.concat([done.rejected, broken])
    ids = {context.identities.lookup(pl.Series([code]))[0]: code for code in CODES}
    return Cleaned(verdict.good.drop(ROW), rejected, ids)


def content(
    rows: pl.DataFrame, without: set[Key] = frozenset(), keys: dict[int, str] | None = None
) -> pl.DataFrame:  # type: ignore[assignment]
    said = rows.select(WITHOUT_PROVENANCE)
    if without and keys:
        drop = pl.DataFrame(
            [(instrument, day) for instrument, code in keys.items() for c, day in without if c == code],
            schema={"instrument_id": pl.Int64, "session": pl.Date}, orient="row",
        )  # fmt: skip
        said = said.join(drop, on=["instrument_id", "session"], how="anti")
    return said.sort("instrument_id", "session")


def rejected_keys(done: Cleaned) -> set[Key]:
    return set(done.rejected.select("code", "session").iter_rows())


def test_every_fault_is_documented_and_every_documented_fault_is_planted() -> None:
    assert set(EXPECTED) == set(FAULTS)
    assert len(EXPECTED) > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_sound_data_break_nothing(seed: int, context: Context) -> None:
    done = cleaned(Planted(csv(market(seed))), context)
    assert (done.rows.height, done.rejected.height) == (len(CODES) * len(DAYS), 0)
    for name in CHECKS:
        assert done.found(name).height == 0, name


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_has_the_documented_outcome(name: str, seed: int, context: Context) -> None:
    outcome, code = EXPECTED[name]
    frame = market(seed)
    sound = cleaned(Planted(csv(frame)), context)
    planted = FAULTS[name](frame, random.Random(f"{name} {seed}"))
    if outcome == "refused":
        with pytest.raises(QuantError) as refused:
            cleaned(planted, context)
        assert (refused.value.fault.code, refused.value.exit_code) == (code, 3)
        return
    done = cleaned(planted, context)
    match outcome:
        case "fixed":
            assert done.rejected.height == 0
            if code:
                assert absent_reasons(done) == {code}
                assert all(not done.found(check_name).height for check_name in ("absence", "pre_close_chain"))
                return
            assert content(done.rows).equals(content(sound.rows))
        case "quarantined":
            assert set(done.rejected["rule"]) == {code}
            assert set(done.rejected["reason"]) != {""}
            assert_only_the_damaged_are_gone(name, done, sound, planted)
        case "reported":
            check_name, rule = code.split("`, `")
            assert done.rejected.height == 0
            found = done.found(check_name)
            assert rule in set(found["rule"])
            if {"code", "session"} <= set(found.columns):
                assert set(found.select("code", "session").iter_rows()) <= planted.keys
            said = content(done.rows, planted.keys, done.keys)
            assert set(said.select("instrument_id", "session").iter_rows()) <= set(
                content(sound.rows).select("instrument_id", "session").iter_rows()
            )


def assert_only_the_damaged_are_gone(name: str, done: Cleaned, sound: Cleaned, planted: Planted) -> None:
    """Rows that were sound are stored as they are; what was damaged is set aside, to the row."""
    assert planted.keys, name
    if name in ("undeclared_time_zone",):
        assert rejected_keys(done) == planted.keys
        return
    kept = content(done.rows)
    if name in ("rows_repeated_with_other_values", "rows_on_a_closed_day", "rows_of_the_future"):
        assert rejected_keys(done) == planted.keys
        assert kept.equals(content(sound.rows))
        return
    assert kept.equals(content(sound.rows, planted.keys, sound.keys))
    assert done.rejected.height == len(planted.keys)


def absent_reasons(done: Cleaned) -> set[str]:
    from quant.warehouse.audit import absences

    instruments = pl.DataFrame({"instrument_id": list(done.keys)}).with_columns(
        list_date=pl.lit(LISTED), delist_date=pl.lit(None, pl.Date)
    )
    return set(absences(done.rows, instruments, start=DAYS[0], end=DAYS[-1])["reason"])
