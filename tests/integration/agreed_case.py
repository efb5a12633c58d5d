"""Three vendors of one small market as files, who disagree here and there, and all that a lake says of them.

Run as a script it brings a lake up to date: ``agreed_case.py LAKE FOLDER sync|restate``.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from quant.warehouse.arbitrate.settings import ArbitrationSettings
from quant.warehouse.lake import Lake
from quant.warehouse.lake.layout import history_ref
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings, TableSettings

START, END = date(2020, 12, 1), date(2021, 6, 30)
VENDORS = ("one", "two", "three")
DATASETS = ("instruments", "bars_1d", "corporate_actions")
RESTATED = ("bars_1d", "adjustment_factors")
_PASSING = ("run", "actor", "recorded_at", "superseded_at", "superseded_by", "version")
"""Columns that say who wrote a row and when, not what it says."""


def write_vendors(folder: Path) -> Path:
    """Files of the three vendors: ``two`` has other closes now and then, ``three`` other amounts, a hole, a
    row that breaks the contract, and rows on which nobody agrees.
    """
    from quant.warehouse.sources.simulated import SimulatedParams, SimulatedSource

    source = SimulatedSource(SimulatedParams(seed=5, instruments=14, dividends=12.0))
    market = {
        name: pl.concat([source.parse(p) for p in source.fetch(name, START, END)], how="diagonal_relaxed")
        for name in DATASETS
    }
    bars = market["bars_1d"]
    rng = random.Random(5)
    odd = rng.sample(range(bars.height), 40)
    views = {
        "one": bars,
        "two": _changed(bars, odd[:20], close="0.01"),
        "three": _changed(_changed(bars, odd[10:30], amount="250"), odd[:6], close="0.02")
        .filter(~pl.Series([n in odd[30:34] for n in range(bars.height)]))
        .with_columns(
            volume=pl.when(pl.int_range(pl.len()) == 33).then(pl.lit(-5)).otherwise(pl.col("volume"))
        ),
    }
    for vendor, rows in views.items():
        home = folder / vendor
        home.mkdir(parents=True, exist_ok=True)
        for name, frame in {**market, "bars_1d": rows}.items():
            frame.write_csv(home / f"{name}.csv")
    return folder


def restate_vendors(folder: Path) -> None:
    """The bars of December change at two vendors: what is agreed of them is another then."""
    for vendor in ("one", "two"):
        file = folder / vendor / "bars_1d.csv"
        rows = pl.read_csv(file, infer_schema=False)
        december = pl.col("session").str.starts_with("2020-12")
        amount = pl.col("amount").cast(pl.Decimal(24, 4)) + pl.lit(Decimal("100"))
        changed = pl.when(december & (pl.col("volume") != "0")).then(amount.cast(pl.String))
        rows.with_columns(changed.otherwise(pl.col("amount")).alias("amount")).write_csv(file)


def _changed(rows: pl.DataFrame, at: list[int], **by: str) -> pl.DataFrame:
    hit = pl.Series([n in set(at) for n in range(rows.height)]) & rows["volume"].gt(0)
    for name, step in by.items():
        more = (pl.col(name) + pl.lit(Decimal(step))).cast(rows.schema[name])
        rows = rows.with_columns(pl.when(hit).then(more).otherwise(pl.col(name)).alias(name))
    within = pl.min_horizontal("close", "high")
    return rows.with_columns(within.alias("close"))


def sources(folder: Path) -> dict[str, SourceSettings]:
    datasets = {name: DatasetSettings(name, f"{name}.csv") for name in DATASETS}
    files = {
        vendor: SourceSettings(vendor, "files", root=folder / vendor, datasets=datasets) for vendor in VENDORS
    }
    return {**files, "events": SourceSettings("events", "events", known_at="preopen")}


def tables() -> list[TableSettings]:
    vote = ArbitrationSettings(rule="vote", quorum=2, otherwise="quarantine", needs=2)
    agreed = [TableSettings(name, name, VENDORS, vote) for name in DATASETS]
    agreed[0] = replace(agreed[0], arbitrate=ArbitrationSettings(rule="priority"))
    return [*agreed, TableSettings("adjustment_factors", "adjustment_factors", ("events",))]


DESK = """apiVersion = "quant/v1"
kind = "project"
name = "agreed"
format = 1
[defaults]
profile = "real"
[profiles.real]
sources = ["one", "two", "three"]
from = "{start}"
to = "{end}"
"""
SOURCE = """apiVersion: quant/v1
kind: source
name: {name}
provider: files
license: test
root: {root}
datasets:
"""
FIELDS = {
    "instruments": "code name board list_date delist_date",
    "bars_1d": "code session open high low close pre_close limit_up limit_down volume amount suspended st",
    "corporate_actions": "code ex_session record_session pay_session cash_per_share bonus_ratio",
}
AGREED = """---
apiVersion: quant/v1
kind: table
name: {name}
dataset: {name}
arbitrate: {{{rule}}}
checks: [{{check: unique}}, {{check: cross_source, severity: warn}}]
audit: {{max_diff_rate: 5%}}
"""
VOTE = "rule: vote, quorum: 2, otherwise: quarantine, needs: 2"
EVENTS = """---
apiVersion: quant/v1
kind: table
name: adjustment_factors
dataset: adjustment_factors
from: [events]
checks: [{check: unique}]
"""


def write_desk(root: Path, vendors: Path) -> Path:
    """A workspace on the files of the three vendors, with computed factors."""
    (root / "specs").mkdir(parents=True)
    (root / "strategies").mkdir()
    (root / "quant.toml").write_text(DESK.format(start=START, end=END), encoding="utf-8")
    parts = []
    for vendor in VENDORS:
        text = SOURCE.format(name=vendor, root=vendors / vendor)
        for name, columns in FIELDS.items():
            fields = ", ".join(f"{c}: {{as: {c}}}" for c in columns.split())
            text += f"  {name}:\n    files: {name}.csv\n    fields: {{{fields}}}\n"
        parts.append(text)
    rules = {"instruments": "rule: priority", "bars_1d": VOTE, "corporate_actions": VOTE}
    text = "---\n".join(parts) + "".join(AGREED.format(name=n, rule=r) for n, r in rules.items()) + EVENTS
    (root / "specs" / "data.yaml").write_text(text, encoding="utf-8")
    return root


def bring_up(lake: Lake, folder: Path, *, restate: bool = False) -> Iterator[str]:
    from quant.warehouse.sync import plan_sync, sync

    wanted = [t for t in tables() if not restate or t.name in RESTATED]
    plan = plan_sync(wanted, sources(folder), lake, START, END, restate=restate)
    for report in sync(plan, lake, run="r"):
        yield f"{report.table} {report.source} {report.start}"


def said(root: Path) -> dict[str, object]:
    """Everything that the lake below ``root`` says, without who wrote it when and what audits found."""
    lake = Lake(root / "lake")
    found: dict[str, object] = {}
    for ref in [ref for ref in lake.refs() if ref.table != "audit_findings"]:
        rows = lake.scan(ref, None, None, None).collect()
        assert not rows.select(ref.contract.key).is_duplicated().any(), ref
        if ref.layer != "system":
            found[f"{ref} hash"] = lake.content_hash(ref.table, layer=ref.layer, source=ref.source)
            past = lake.scan(history_ref(ref), None, None, None).collect()
            found[f"{ref} history"] = _plain(past)
        found[str(ref)] = _plain(rows)
    return found


def _plain(rows: pl.DataFrame) -> list[tuple[object, ...]]:
    kept = rows.drop([name for name in _PASSING if name in rows.columns])
    if "votes" in kept.columns:
        votes = [json.loads(text) for text in kept["votes"]]
        for vote in votes:
            for each in vote.values():
                if each:
                    each.pop("recorded_at", None)
        kept = kept.with_columns(
            votes=pl.Series([json.dumps(v, sort_keys=True) for v in votes], dtype=pl.String)
        )
    return sorted(kept.unique().rows(), key=str)


def whole_payloads(root: Path) -> int:
    """How many payloads are stored; each must be what its name says."""
    from quant.core.hashing import digest

    count = 0
    for path in (root / "lake" / "raw").rglob("*"):
        if path.is_file() and len(path.name) == 64:
            assert digest(path.read_bytes()) == path.name
            assert path.with_name(f"{path.name}.json").is_file()
            count += 1
    return count


if __name__ == "__main__":
    lake_, folder_, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    from quant.warehouse.sources.registry import open_source  # noqa: F401  imported before it counts

    print("started", flush=True)
    for line in bring_up(Lake(lake_), folder_, restate=mode == "restate"):
        print(line, flush=True)
