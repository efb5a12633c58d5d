"""Row B8: 10M daily bars from the lake onto a ClickHouse server, again (nothing is doubled), and asked.

    python tests/bench/clickhouse.py [--rows N] [--repeat R] [--json FILE]

The server is the one of CLICKHOUSE_URL (``clickhouse://user@host:8123``, password in CLICKHOUSE_PASSWORD),
else the tests' own door over chdb (2M bars then), whose times say little about a server's. Queries run on the
server, on embedded ClickHouse over the lake's files and on DuckDB over the same files; all answers must agree
(exit 1).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from quant.core.market.calendar import calendar
from quant.warehouse.contracts.tables import contract
from quant.warehouse.engines import query
from quant.warehouse.engines.projections import init, load
from quant.warehouse.engines.verification import verify
from quant.warehouse.lake import Lake, table_ref

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
from server_case import database

NAMES = 4000
BARS = table_ref("bars_1d")
QUERIES = {
    "count": "select count(*) as n from bars_1d",
    "one_day": "select count(*) as n, sum(amount) as a from bars_1d where session = '{day}'",
    "one_name": "select count(*) as n, max(close) as c from bars_1d where instrument_id = 777",
    "by_year": "select extract(year from session) as y, sum(volume) as v from bars_1d group by y order by y",
}


def year_of_bars(days: list[date], seed: int) -> pl.DataFrame:
    """Seeded bars of every name on the given sessions, in contract columns."""
    random = np.random.default_rng(seed)
    count = NAMES * len(days)
    cents = random.integers(200, 10_000, count)
    frame = pl.DataFrame({"instrument_id": np.tile(np.arange(1, NAMES + 1), len(days))}).with_columns(
        session=pl.Series(np.repeat(np.array(days, "datetime64[D]"), NAMES)),
        volume=pl.Series(random.integers(1, 100_000, count) * 100),
    )
    close = pl.Series(cents / 100).cast(pl.Decimal(18, 4))
    filled = [close.alias(name) for name in ("open", "high", "low", "close", "pre_close")]
    instants = [pl.col("session").cast(pl.Datetime("us", "UTC")).alias(name) for name in ("ts", "known_at")]
    stamp = pl.lit(datetime(2026, 1, 1, tzinfo=UTC)).alias("recorded_at")
    schema = contract("bars_1d").schema
    frame = frame.with_columns(*filled, *instants, stamp, source=pl.lit("bench"), payload=pl.lit("p" * 64))
    frame = frame.with_columns(amount=(pl.col("close").cast(pl.Float64) * pl.col("volume")).round(2))
    unknown = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return frame.with_columns(unknown).select(pl.col(name).cast(kind) for name, kind in schema.items())


def filled(folder: Path, rows: int) -> tuple[Lake, date]:
    """A lake of about ``rows`` bars, and a session in the middle of it."""
    lake = Lake(folder / "lake")
    sessions = list(calendar("XSHG").sessions(date(2010, 1, 4), date(2025, 12, 31)))[: max(rows // NAMES, 1)]
    for year in sorted({day.year for day in sessions}):
        days = [day for day in sessions if day.year == year]
        lake.write_interval(BARS, year_of_bars(days, year), days[0], days[-1])
    return lake, sessions[len(sessions) // 2]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return time.perf_counter() - began, answer


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    usual = 10_000_000 if os.environ.get("CLICKHOUSE_URL") else 2_000_000
    parser.add_argument("--rows", type=int, default=usual)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures, agreed = measured(Path(place), given.rows, given.repeat)
    text = json.dumps(figures, indent=2)
    sys.stdout.write(f"{text}\n")
    if given.json:
        given.json.write_text(text, encoding="utf-8")
    return 0 if agreed else 1


def measured(place: Path, rows: int, repeat: int) -> tuple[dict[str, Any], bool]:
    lake, day = filled(place, rows)
    figures: dict[str, Any] = {"rows": lake.count("bars_1d")}
    with database(place / "store") as settings:
        init(lake, settings)
        figures["load_s"] = round(seconds(lambda: list(load(lake, settings)))[0], 2)
        figures["load_rows_per_s"] = round(figures["rows"] / figures["load_s"])
        figures["load_again_s"], done = seconds(lambda: list(load(lake, settings)))
        figures["loaded_again"] = sum(each.partitions_loaded for each in done)
        rows_of_day = lake.read("bars_1d", start=day, end=day).with_columns(volume=pl.col("volume") + 100)
        lake.write_interval(BARS, rows_of_day, day, day)
        figures["load_a_changed_day_s"], done = seconds(lambda: list(load(lake, settings)))
        figures["partitions_of_a_changed_day"] = done[0].partitions_loaded
        figures["verify_s"], checks = seconds(lambda: verify(lake, settings))
        agreed = all(check.equal for check in checks)
        figures["equal_to_the_lake"] = agreed
        for name, text in QUERIES.items():
            sql, answers = text.replace("{day}", day.isoformat()), []
            for engine in ("server", "clickhouse", "duckdb"):
                timed = [
                    seconds(lambda e=engine, q=sql: query(q, lake, engine=e, server=settings))  # type: ignore[misc]
                    for _ in range(repeat)
                ]
                figures[f"{name}_{engine}_ms"] = round(statistics.median(t for t, _ in timed) * 1e3, 1)
                answers.append([tuple(map(str, row.values())) for row in timed[0][1].table.to_pylist()])
            agreed = agreed and answers[0] == answers[1] == answers[2]
    figures["answers_agree"] = agreed
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}, agreed


if __name__ == "__main__":
    sys.exit(main())
