"""The audit of two vendors' bars, 5,000 names over ten years, beside reading the same tables.

    python tests/bench/audit.py            12.15M rows a vendor
    python tests/bench/audit.py --names 500

The second vendor prints amounts in thousand yuan to two decimals, lacks one row in 50,000, and is wrong in
one cell in 20,000. Rows of one vendor lie in another order than those of the other.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from quant.core.market.calendar import calendar
from quant.warehouse.audit.run import audit_table
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import VENDOR, Lake, table_ref
from quant.warehouse.sources.settings import TableSettings

FIRST, LAST = date(2015, 1, 1), date(2024, 12, 31)
STAMP = datetime(2025, 1, 1, tzinfo=UTC)
PRICE, AMOUNT = pl.Decimal(18, 4), pl.Decimal(20, 4)


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--names", type=int, default=5_000)
    asked.add_argument("--repeat", type=int, default=3)
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="quant-bench-audit-"))
    try:
        lake = Lake(folder / "lake")
        rows = fill(lake, given.names)
        table = TableSettings("bars_1d", "bars_1d", ("a", "b"))
        read = best(lambda: [frame(lake, name) for name in "ab"], given.repeat)
        spent = best(lambda: audit_table(lake, table, ("a", "b"), audit_id="bench", keep=False), given.repeat)
        report = audit_table(lake, table, ("a", "b"), audit_id="bench", keep=False)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"rows                 {rows:,} and {report.rows[0]['matched']:,} common")
        print(f"polars reads both    {read[0]:6.2f} s wall  {read[1]:6.2f} s cpu")
        print(f"audit                {spent[0]:6.2f} s wall  {spent[1]:6.2f} s cpu  "
              f"({spent[0] / read[0]:.1f} x reading), peak {peak:.1f} GB")  # fmt: skip
        causes = report.causes.group_by("cause").agg(pl.col("findings", "cells").sum()).sort("cause")
        for cause, findings, cells in causes.iter_rows():
            print(f"  {cause:<20} {findings:>8,} findings {cells:>12,} cells")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def best(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """The least wall time of several runs, and the CPU time of that run."""
    times = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(times)


def frame(lake: Lake, name: str) -> pl.DataFrame:
    columns = ["instrument_id", "session", "open", "high", "low", "close", "pre_close", "volume", "amount"]
    return lake.read("bars_1d", layer=VENDOR, source=name, columns=columns)


def fill(lake: Lake, names: int) -> int:
    """Both vendors' tables, year by year; returns the rows of the first."""
    days = calendar("XSHG").sessions(FIRST, LAST)
    draw = np.random.default_rng(20150101)
    ids = np.sort(draw.choice(2**62, names, replace=False))
    price = draw.integers(500, 8_000, names)
    total = 0
    for year in range(FIRST.year, LAST.year + 1):
        own = [day for day in days if day.year == year]
        truth, price = bars(draw, ids, own, price)
        total += truth.height
        lake.write_interval(table_ref("bars_1d", VENDOR, "a"), stored(truth, "a"), own[0], own[-1])
        shown = wrong(draw, truth).sample(fraction=1.0, shuffle=True, seed=year)
        lake.write_interval(table_ref("bars_1d", VENDOR, "b"), stored(shown, "b"), own[0], own[-1])
    return total


def bars(
    draw: np.random.Generator, ids: np.ndarray, days: list[date], start: np.ndarray
) -> tuple[pl.DataFrame, np.ndarray]:
    """One year of bars in cents, shares and yuan, and the last closes."""
    count, names = len(days), len(ids)
    moves = np.exp(np.cumsum(draw.normal(0, 0.02, (count, names)), axis=0))
    close = np.maximum(np.rint(start * moves), 100).astype(np.int64)
    before = np.vstack([start[None, :], close[:-1]])
    high = np.maximum(close, before) + draw.integers(0, 30, close.shape)
    low = np.maximum(np.minimum(close, before) - draw.integers(0, 30, close.shape), 1)
    volume = draw.integers(1_000, 500_000, close.shape) * 100
    columns = {
        "instrument_id": np.tile(ids, count), "open": before.ravel(), "high": high.ravel(),
        "low": low.ravel(), "close": close.ravel(), "pre_close": before.ravel(), "volume": volume.ravel(),
        "amount": (volume * close // 100).ravel(),
    }  # fmt: skip
    day = pl.Series("session", days, dtype=pl.Date).gather(np.repeat(np.arange(count), names))
    return pl.DataFrame(columns).with_columns(day), close[-1]


def wrong(draw: np.random.Generator, truth: pl.DataFrame) -> pl.DataFrame:
    """What the second vendor shows."""
    u = pl.Series(draw.random(truth.height))
    amount = (pl.col("amount") / 10).round().cast(pl.Int64) * 10
    return (
        truth.with_columns(amount.alias("amount"), u.alias("u"))
        .with_columns(
            pl.when(pl.col("u") < 2e-5).then(pl.col("volume") // 100).otherwise("volume").alias("volume"),
            pl.when(pl.col("u").is_between(2e-5, 5e-5)).then("low").otherwise("close").alias("close"),
        )
        .filter(~pl.col("u").is_between(6e-5, 8e-5))
        .drop("u")
    )


def stored(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    """Rows as the contract wants them."""
    prices = ("open", "high", "low", "close", "pre_close")
    table = contract("bars_1d")
    rows = rows.with_columns(
        *((pl.col(n).cast(pl.Decimal(18, 0)) / pl.lit(100, PRICE)).cast(PRICE).alias(n) for n in prices),
        pl.col("amount").cast(AMOUNT),
    )
    more = {
        "ts": STAMP, "known_at": STAMP, "recorded_at": STAMP, "source": source, "payload": "0" * 64,
        "suspended": False, "st": False, "delisting": False, "no_limit": False,
        "limit_up": None, "limit_down": None,
    }  # fmt: skip
    return rows.with_columns(pl.lit(v).cast(table.schema[n]).alias(n) for n, v in more.items()).select(
        table.names
    )


if __name__ == "__main__":
    raise SystemExit(main())
