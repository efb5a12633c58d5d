"""A tiny market: canonical rows, and the same kind of rows as a vendor's CSV files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from quant.warehouse.contracts.tables import contract
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings, TableSettings

STAMP = datetime(2026, 1, 1, tzinfo=UTC)


def bar_rows(days: list[date], ids: tuple[int, ...] = (11, 22), close: str = "10.50") -> pl.DataFrame:
    """Valid rows of ``bars_1d``: one a day and instrument."""
    rows = [
        {
            "instrument_id": instrument,
            "session": day,
            "ts": datetime(day.year, day.month, day.day, 7, tzinfo=UTC),
            "open": Decimal("10.20"),
            "high": Decimal("11.00"),
            "low": Decimal("10.00"),
            "close": Decimal(close),
            "pre_close": Decimal("10.00"),
            "limit_up": Decimal("11.00"),
            "limit_down": Decimal("9.00"),
            "volume": 1000 + instrument,
            "amount": Decimal("10.40") * (1000 + instrument),
            "suspended": False,
            "st": None,
            "delisting": False,
            "no_limit": False,
            "known_at": STAMP,
            "recorded_at": STAMP,
            "source": "test",
            "payload": "p",
        }
        for day in days
        for instrument in ids
    ]
    return pl.DataFrame(rows, schema=contract("bars_1d").schema)


BAR_FIELDS = (
    FieldSettings("ts_code", "code"),
    FieldSettings("trade_date", "session"),
    *(FieldSettings(name, name) for name in ("open", "high", "low", "close", "pre_close")),
    FieldSettings("vol", "volume", unit="lot100"),
    FieldSettings("amount", "amount", unit="kCNY"),
)
MASTER = "ts_code,name,list_date\n600000.SH,浦发,19991110\n000001.SZ,平安,19910403\n"
HEADER = "ts_code,trade_date,open,high,low,close,pre_close,vol,amount,adj_factor\n"
BARS = HEADER + (
    "600000.SH,20240102,6.60,6.70,6.55,6.62,6.62,1234.56,818.51328,10.0\n"
    "600000.SH,20240103,6.62,6.65,6.58,6.60,6.62,1000,660,10.0\n"
    "600000.SH,20240104,6.40,6.45,6.35,6.41,6.40,1000,640,10.3125\n"
    "000001.SZ,20240102,9.39,9.42,9.21,9.21,9.39,1158366.45,1075742.25,116.713\n"
    "000001.SZ,20240103,9.19,9.22,9.15,9.2,9.21,733610.31,673673.61,116.713\n"
)


def files_source(root: Path, **changes: object) -> SourceSettings:
    """The settings of the tiny market; ``changes`` replace attributes."""
    datasets = {
        "instruments": DatasetSettings(
            "instruments",
            "master.csv",
            (
                FieldSettings("ts_code", "code"),
                FieldSettings("name", "name"),
                FieldSettings("list_date", "list_date", format="%Y%m%d"),
            ),
        ),
        "bars_1d": DatasetSettings("bars_1d", "bars.csv", BAR_FIELDS),
        "adjustment_factors": DatasetSettings(
            "adjustment_factors", "bars.csv", (*BAR_FIELDS[:2], FieldSettings("adj_factor", "factor"))
        ),
    }
    given: dict[str, object] = {
        "name": "tiny",
        "provider": "files",
        "root": root,
        "datasets": datasets,
        "infer_events": True,
        **changes,
    }
    return SourceSettings(**given)  # type: ignore[arg-type]


def tables(*sources: str, names: tuple[str, ...] = ()) -> list[TableSettings]:
    wanted = names or ("instruments", "bars_1d", "adjustment_factors", "corporate_actions")
    return [TableSettings(name, name, sources) for name in wanted]
