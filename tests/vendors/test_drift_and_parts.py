"""What only history shows (new columns, units that jump), and endpoints that make one dataset."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import CheckFailed
from quant.warehouse.sources.drift import Shapes
from quant.warehouse.sources.parts import joined, joined_settings
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, PartSettings, SourceSettings
from quant.warehouse.store import LocalFolder

KEY = (FieldSettings("ts_code", "code"), FieldSettings("trade_date", "session"))
BARS = DatasetSettings(
    "bars_1d", "daily", (*KEY, FieldSettings("vol", "volume"), FieldSettings("close", "close"))
)
SETTINGS = SourceSettings("v", "tushare", datasets={"bars_1d": BARS})
START = date(2024, 1, 1)


def page(volume: float, days: int = 60, start: date = START, **more: str) -> pl.DataFrame:
    rows = {
        "ts_code": ["600000.SH"] * days,
        "trade_date": [(start + timedelta(days=n)).strftime("%Y%m%d") for n in range(days)],
        "vol": [str(volume + n) for n in range(days)],
        "close": ["10.5"] * days,
    }
    return pl.DataFrame({**rows, **{name: [value] * days for name, value in more.items()}})


def seen(lake: Path, frame: pl.DataFrame, settings: SourceSettings = SETTINGS) -> Shapes:
    shapes = Shapes.open(LocalFolder(lake), settings, BARS)
    shapes.add("daily", frame, "d" * 64)
    shapes.close()
    return shapes


@pytest.mark.parametrize("factor", [100, 1000, 0.01, 0.001])
def test_a_unit_that_jumps_stops_the_table(factor: float, tmp_path: Path) -> None:
    seen(tmp_path, page(50_000))
    with pytest.raises(CheckFailed) as caught:
        seen(tmp_path, page(50_000 * factor, start=date(2024, 6, 1)))
    assert caught.value.fault.code == "vendor.schema"
    assert "daily.vol" in caught.value.fault.message
    assert "dddddddddddd" in str(caught.value.fault.hint)
    seen(tmp_path, page(51_000, start=date(2024, 6, 1)))  # the good answer is still the one compared with


@pytest.mark.parametrize("factor", [0.1, 8, 30])
def test_a_market_that_grows_is_no_other_unit(factor: float, tmp_path: Path) -> None:
    seen(tmp_path, page(50_000))
    assert seen(tmp_path, page(50_000 * factor, start=date(2024, 6, 1))).warnings == []


def test_decades_and_handfuls_of_rows_are_not_compared(tmp_path: Path) -> None:
    seen(tmp_path, page(50_000))
    seen(tmp_path, page(50, start=date(1993, 1, 4)))
    seen(tmp_path, page(5_000_000, days=20))


def test_other_fields_are_another_comparison(tmp_path: Path) -> None:
    seen(tmp_path, page(50_000))
    lots = replace(BARS, fields=(*KEY, FieldSettings("vol", "volume", unit="lot100"), BARS.fields[3]))
    changed = replace(SETTINGS, datasets={"bars_1d": lots})
    shapes = Shapes.open(LocalFolder(tmp_path), changed, lots)
    shapes.add("daily", page(500), "d" * 64)
    shapes.close()


def test_a_new_column_is_said_or_stops_as_the_spec_says(tmp_path: Path) -> None:
    seen(tmp_path, page(50_000))
    assert seen(tmp_path, page(50_000, turn="1")).warnings == ["v: daily has new columns: turn"]
    assert seen(tmp_path, page(50_000, turn="1")).warnings == []
    with pytest.raises(CheckFailed, match="new columns: pe"):
        seen(tmp_path, page(50_000, turn="1", pe="2"), replace(SETTINGS, on_new_column="stop"))


def test_a_damaged_shape_is_forgotten(tmp_path: Path) -> None:
    seen(tmp_path, page(50_000))
    (tmp_path / "raw" / "v" / "shapes" / "bars_1d.json").write_text("{half")
    assert seen(tmp_path, page(5_000_000)).warnings == []


# --- parts ------------------------------------------------------------------------------------------------

DAILY = pl.DataFrame(
    {
        "ts_code": ["600000.SH", "600000.SH", "000001.SZ"],
        "trade_date": ["20240102", "20240103", "20240102"],
        "close": ["1", "2", "3"],
    }
)


def part(
    endpoint: str, how: str = "left", on: tuple[str, ...] = ("code", "session"), **names: str
) -> PartSettings:
    fields = tuple(FieldSettings(column, name) for column, name in names.items())
    return PartSettings(endpoint, fields, on, how)  # type: ignore[arg-type]


def join(dataset: DatasetSettings, **frames: pl.DataFrame) -> pl.DataFrame:
    given = [("daily", "first", DAILY), *((name, name, frame) for name, frame in frames.items())]
    parts = [frame.with_columns(payload=pl.lit(digest)) for digest, frame in joined(given, dataset)]
    whole = pl.concat(parts, how="diagonal_relaxed")
    names = {f.column: f.name for f in joined_settings(dataset).fields}
    return whole.select(*(pl.col(c).alias(n) for c, n in names.items() if c in whole.columns), "payload")


def with_part(one: PartSettings) -> DatasetSettings:
    return DatasetSettings("bars_1d", "daily", (*KEY, FieldSettings("close", "close")), parts=(one,))


def test_a_left_part_adds_columns_whatever_the_spelling_of_its_keys() -> None:
    limits = part("limits", symbol="code", day="session", up="limit_up")
    frame = pl.DataFrame(
        {"symbol": ["sh.600000", "sz.000001"], "day": ["2024-01-03", "2024-01-05"], "up": ["9", "8"]}
    )
    found = join(with_part(limits), limits=frame)
    assert found["limit_up"].to_list() == [None, "9", None]
    assert found["payload"].unique().to_list() == ["first"]


def test_a_full_part_adds_rows_with_its_own_payload() -> None:
    halts = part("halts", "full", ts_code="code", trade_date="session", off="suspended")
    frame = pl.DataFrame({"ts_code": ["600519.SH"], "trade_date": ["20240103"], "off": ["true"]})
    found = join(with_part(halts), halts=frame)
    assert found.filter(pl.col("suspended") == "true").select(
        "code", "session", "close", "payload"
    ).rows() == [("600519.SH", "20240103", None, "halts")]
    assert found.height == 4


def test_a_spell_holds_from_its_first_day_to_its_last() -> None:
    names = part("names", "spell", ("code",), ts_code="code", a="from_session", b="to_session", st="st")
    frame = pl.DataFrame(
        {
            "ts_code": ["600000.SH", "600000.SH", "000001.SZ"],
            "a": ["20200101", "20240103", "20230101"],
            "b": ["20240102", None, "20231231"],
            "st": ["false", "true", "true"],
        }
    )
    found = join(with_part(names), names=frame).sort("close")
    assert found["st"].to_list() == ["false", "true", None]


def test_an_appended_part_stands_below() -> None:
    more = part("more", "append", code_="code", day="session", price="close", extra="volume")
    frame = pl.DataFrame({"code_": ["600519.SH"], "day": ["20240104"], "price": ["7"], "extra": ["5"]})
    found = join(with_part(more), more=frame)
    assert found.filter(pl.col("code") == "600519.SH").select("session", "close", "volume").rows() == [
        ("20240104", "7", "5")
    ]


@pytest.mark.parametrize("how", ["left", "full", "spell", "append"])
def test_a_part_without_rows_brings_its_columns(how: str) -> None:
    names = {"ts_code": "code", "trade_date": "session", "x": "st"}
    if how == "spell":
        names = {"ts_code": "code", "a": "from_session", "x": "st"}
    found = join(with_part(part("p", how, **names)))
    assert found["st"].to_list() == [None, None, None]


def test_without_the_first_endpoint_nothing_is_made_up() -> None:
    limits = part("limits", ts_code="code", trade_date="session", up="limit_up")
    frame = pl.DataFrame({"ts_code": ["600000.SH"], "trade_date": ["20240103"], "up": ["9"]})
    assert joined([("limits", "x", frame)], with_part(limits)) == []
