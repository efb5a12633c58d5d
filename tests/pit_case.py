"""A small workspace whose lake also holds reports, valuations and an index, written as a sync writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
from small_case import write_small_workspace

from quant.pipelines.flows.sync import SyncRequest, plan_sync
from quant.pipelines.sources import data_specs
from quant.pipelines.workspace import Workspace
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.sync import sync

START, END = date(2021, 1, 4), date(2022, 12, 30)
RECORDED = datetime(2023, 1, 10, tzinfo=UTC)
RESTATED = datetime(2023, 6, 1, tzinfo=UTC)
INDEX = "000300.SH"
SPECS = """
apiVersion: quant/v1
kind: strategy
name: value
expr: $eps / Ref($raw_close, 1)
construct: {method: equal, top: 10, cash_buffer: 2%}
rebalance: {every: month, on: last}
---
apiVersion: quant/v1
kind: backtest
name: value
use: {strategy: value}
range: [2021-06-01, 2022-12-30]
cash: 10_000_000
---
apiVersion: quant/v1
kind: universe
name: index_300
members: index("000300.SH")
where: ["not $suspended"]
---
apiVersion: quant/v1
kind: backtest
name: in_index
use: {strategy: value, universe: index_300}
range: [2021-06-01, 2022-12-30]
cash: 10_000_000
---
apiVersion: quant/v1
kind: deployment
name: value_paper
use: {strategy: value}
env:
  paper: {broker: paper, feed: replay, from: 2022-01-04, to: 2022-06-30, cash: 10_000_000}
"""


def make(root: Path) -> Workspace:
    """The workspace with its market synced and the further tables written."""
    folder = write_small_workspace(root)
    text = (folder / "specs" / "small.yaml").read_text(encoding="utf-8")
    (folder / "specs" / "small.yaml").write_text(text.replace("instruments: 60", "instruments: 40"))
    (folder / "specs" / "value.yaml").write_text(SPECS, encoding="utf-8")
    desk = Workspace.find(folder)
    lake = Lake(desk.lake)
    for _ in sync(plan_sync(desk, SyncRequest(), data_specs(desk)), lake, run="fixture"):
        pass
    put(lake, "fundamentals", reports(lake))
    put(lake, "daily_basics", valuations(lake))
    put(lake, "index_weights", weights(lake))
    return desk


def put(lake: Lake, table: str, rows: pl.DataFrame) -> None:
    """Rows of a golden table and the line of the sync log that says so."""
    target = contract(table)
    stamp = pl.lit(RECORDED).cast(pl.Datetime("us", "UTC"))
    full = rows.with_columns(recorded_at=stamp, source=pl.lit("case"), payload=pl.lit("case"))
    lake.write_interval(table_ref(table), full.select(target.names), date(2020, 1, 1), END)
    log = contract("sync_log")
    values = {
        "run": "fixture", "source": "case", "source_hash": "case", "table": table, "start": START, "end": END,
        "status": "ok", "golden": True, "calls": 1, "rows": rows.height, "quarantined": 0, "facts": "{}",
        "actor": "{}", "recorded_at": RECORDED,
    }  # fmt: skip
    row = {name: values.get(name) for name in log.names}
    lake.append(table_ref("sync_log"), pl.DataFrame([row], schema=log.schema))


def restate(lake: Lake, table: str, match: pl.Expr, **values: pl.Expr) -> pl.DataFrame:
    """Change rows of a golden table as a restatement does; the rows before it."""
    rows = lake.read(table)
    changed = rows.filter(match)
    stamp = pl.lit(RESTATED).cast(pl.Datetime("us", "UTC"))
    target = contract(table)
    assert changed.height and target.time is not None
    new = rows.with_columns(
        **{n: pl.when(match).then(e).otherwise(pl.col(n)).cast(target.schema[n]) for n, e in values.items()},
        recorded_at=pl.when(match).then(stamp).otherwise(pl.col("recorded_at")),
    )
    start, end = rows[target.time].min(), rows[target.time].max()
    assert isinstance(start, date) and isinstance(end, date)
    lake.write_interval(table_ref(table), new.select(target.names), start, end)
    return changed


def reports(lake: Lake) -> pl.DataFrame:
    """Earnings per share of eight quarters, announced forty days after their end."""
    random = np.random.default_rng(3)
    ids = lake.read("instruments")["instrument_id"].sort().to_list()
    ends = [date(y, m, d) for y in (2020, 2021, 2022) for m, d in ((3, 31), (6, 30), (9, 30), (12, 31))]
    grid = pl.DataFrame({"instrument_id": ids}).join(pl.DataFrame({"period_end": ends}), how="cross")
    value = random.lognormal(0, 0.8, grid.height)
    announced = pl.col("period_end") + pl.duration(days=40)
    known = pl.col("announced").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=12)
    rows = grid.with_columns(
        item=pl.lit("eps"), report=pl.lit("income"), value=pl.Series(value), announced=announced
    ).filter(pl.col("announced") <= END)
    return rows.with_columns(first_announced=pl.col("announced"), known_at=known)


def valuations(lake: Lake) -> pl.DataFrame:
    """A price/earnings ratio and a market value of every bar."""
    bars = lake.read("bars_1d", columns=["instrument_id", "session", "ts", "close"])
    close = pl.col("close").cast(pl.Float64)
    others = [n for n in contract("daily_basics").names if n not in bars.columns]
    rows = bars.with_columns(*(pl.lit(None, contract("daily_basics").schema[n]).alias(n) for n in others))
    return rows.with_columns(
        pe_ttm=close / 2,
        total_cap=close * 1e8,
        known_at=(pl.col("ts") + pl.duration(hours=2)).cast(pl.Datetime("us", "UTC")),
    )


def weights(lake: Lake) -> pl.DataFrame:
    """Monthly lists of an index: twelve names, one more out and in every month; what leaves the market is in
    it to the end.
    """
    ids = lake.read("instruments")["instrument_id"].sort().to_list()
    bars = lake.read("bars_1d", columns=["instrument_id", "session"])
    ends = bars.group_by("instrument_id").agg(pl.col("session").max())
    gone = dict(ends.filter(pl.col("session") < date(2022, 11, 1)).iter_rows())
    days = bars["session"].unique().sort()
    last = (
        days.to_frame().group_by(pl.col("session").dt.truncate("1mo")).agg(pl.col("session").max().alias("d"))
    )
    parts = []
    for number, day in enumerate(last["d"].sort().to_list()):
        names = {ids[(number + k) % len(ids)] for k in range(12)} | {i for i in gone if gone[i] >= day}
        parts.append(pl.DataFrame({"instrument_id": sorted(names)}).with_columns(session=pl.lit(day)))
    return pl.concat(parts).with_columns(
        index_code=pl.lit(INDEX),
        weight=pl.lit(1 / 12),
        known_at=(pl.col("session").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=9)),
    )
