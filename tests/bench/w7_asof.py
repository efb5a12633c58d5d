"""W7, as-of: 5M rows of reports joined as known onto 12.15M bars; ours and polars' join_asof in one run.

    python tests/bench/w7_asof.py [--instruments 5000] [--sessions 2430] [--rows 5000000] [--repeat 3]

polars joins the announcements themselves, which is less than is asked for: it takes the newest announcement,
ours the newest period. The answers are compared on the rows that change what is known.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from quant.core.market.calendar import calendar
from quant.research.reported import known_matrix
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.pit import known_steps

COLUMNS = ["instrument_id", "item", "period_end", "announced", "known_at", "value"]


def main() -> int:
    ask = argparse.ArgumentParser()
    ask.add_argument("--instruments", type=int, default=5000)
    ask.add_argument("--sessions", type=int, default=2430)
    ask.add_argument("--rows", type=int, default=5_000_000)
    ask.add_argument("--repeat", type=int, default=3)
    given = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(given, Path(folder))
    return 0


def run(given: argparse.Namespace, folder: Path) -> None:
    dates = calendar("XSHG")
    sessions = dates.sessions(date(2015, 1, 5), dates.last)[: given.sessions]
    mornings = np.array([row[0] // 1000 for row in dates.instant_rows(sessions)], dtype=np.int64)
    instruments = np.arange(1, given.instruments + 1, dtype=np.int64)
    lake = Lake(folder / "lake")
    store(lake, given, sessions)
    bars = pl.DataFrame(
        {
            "instrument_id": np.repeat(instruments, len(sessions)),
            "at": pl.Series(np.tile(mornings, len(instruments))).cast(pl.Datetime("us", "UTC")),
        }
    )
    bars.write_parquet(folder / "bars.parquet")
    files = [str(p) for p in (folder / "lake" / "golden" / "fundamentals").rglob("*.parquet")]
    right = pl.read_parquet(files, columns=COLUMNS)

    def peer_join(rows: pl.DataFrame) -> pl.Series:
        side = rows.select("instrument_id", "known_at", "value")
        joined = bars.join_asof(
            side, left_on="at", right_on="known_at", by="instrument_id", check_sortedness=False
        )
        return joined["value"]

    def peer_read_and_join() -> pl.Series:
        rows = pl.read_parquet(files, columns=COLUMNS).sort("instrument_id", "known_at")
        left = pl.read_parquet(folder / "bars.parquet")
        side = rows.select("instrument_id", "known_at", "value")
        return left.join_asof(
            side, left_on="at", right_on="known_at", by="instrument_id", check_sortedness=False
        )["value"]

    def ours_join() -> np.ndarray:
        return known_matrix(right, instruments, mornings)

    def ours_read_and_join() -> np.ndarray:
        return known_matrix(lake.read("fundamentals", columns=COLUMNS), instruments, mornings)

    ordered = right.sort("instrument_id", "known_at")
    print(f"{right.height:,} rows of reports, {bars.height:,} bars, {pl.thread_pool_size()} thread(s)")
    joined = report("join, rows in memory", given.repeat, lambda: peer_join(ordered), ours_join)
    report("read and join", given.repeat, peer_read_and_join, ours_read_and_join)
    expected = peer_join(known_steps(right)).to_numpy().reshape(len(instruments), -1).T
    np.testing.assert_array_equal(joined, expected)
    print("checked: equal to join_asof over the rows that change what is known")


def report(
    name: str, repeat: int, peer: Callable[[], pl.Series], ours: Callable[[], np.ndarray]
) -> np.ndarray:
    peers, own, answer = [], [], np.zeros(0)
    for _ in range(repeat):
        began = time.perf_counter()
        peer()
        middle = time.perf_counter()
        answer = ours()
        peers.append(middle - began)
        own.append(time.perf_counter() - middle)
    theirs, mine = statistics.median(peers), statistics.median(own)
    print(f"{name:<24} polars {theirs:7.3f} s   ours {mine:7.3f} s   ratio {mine / theirs:5.2f} (target 1.3)")
    return answer


def store(lake: Lake, given: argparse.Namespace, sessions: list[date]) -> None:
    """Reports of one item: quarters one in ten a restatement of an older one."""
    random = np.random.default_rng(7)
    per = given.rows // given.instruments
    first, last = (sessions[0] - timedelta(days=200)), sessions[-1]
    span = (last - first).days
    days = np.sort(
        np.argpartition(random.random((given.instruments, span), dtype=np.float32), per, axis=1)[:, :per],
        axis=1,
    ).ravel()
    announced = np.datetime64(first, "D") + days
    back = np.where(random.random(len(days)) < 0.1, random.integers(2, 6, len(days)), 1)
    quarter = (announced.astype("datetime64[M]").astype(int)) // 3 * 3
    ends = (quarter - 3 * (back - 1)).astype("datetime64[M]").astype("datetime64[D]") - np.timedelta64(1, "D")
    table = contract("fundamentals")
    known = pl.col("announced").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=12)
    rows = pl.DataFrame(
        {
            "instrument_id": np.repeat(np.arange(1, given.instruments + 1), per),
            "item": pl.repeat("eps", len(days), eager=True),
            "period_end": pl.Series(ends).cast(pl.Date),
            "announced": pl.Series(announced).cast(pl.Date),
            "first_announced": pl.repeat(None, len(days), dtype=pl.Date, eager=True),
            "report": pl.repeat("income", len(days), eager=True),
            "value": random.normal(size=len(days)),
            "source": pl.repeat("bench", len(days), eager=True),
            "payload": pl.repeat("bench", len(days), eager=True),
        }
    ).with_columns(known_at=known, recorded_at=known)
    start, end = rows["announced"].min(), rows["announced"].max()
    assert isinstance(start, date) and isinstance(end, date)
    lake.write_interval(table_ref("fundamentals"), rows.select(table.names), start, end)


if __name__ == "__main__":
    sys.exit(main())
