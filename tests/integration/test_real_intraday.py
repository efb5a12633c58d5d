"""Real bars and ticks of Chinese futures, A-shares and crypto: read by their specs, resampled, compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from quant.core.ids import parse_code
from quant.core.market.sessions import trading_hours
from quant.native.bars import resample
from quant.warehouse.intraday import resample_table
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.normalize import Context, Identities
from quant.warehouse.normalize.rows import Normalized, normalize, stack
from quant.warehouse.sources.files import FilesSource
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings

STAMP = datetime(2026, 1, 2, tzinfo=UTC)
OHLC = ("open", "high", "low", "close")
Locate = Callable[[str], Path]


def loaded(source: SourceSettings, dataset: str, code: str, lake: Lake) -> Normalized:
    files = FilesSource(source)
    day = date(2020, 1, 1)
    frames = [(payload.digest, files.parse(payload)) for payload in files.fetch(dataset, day, day)]
    identities = Identities(lake)
    identities.mint(code, date(2000, 1, 1))
    context = Context(source, identities, lake.read("instruments"), STAMP, date(2025, 1, 1))
    return normalize(dataset, stack(frames, source.dataset(dataset)), context)


def minutes_of(code: str, sessions: list[date]) -> dict[date, int]:
    """Minutes of trading of each session by the tables of hours."""
    out = dict.fromkeys(sessions, 0)
    for segment in trading_hours(parse_code(code), sessions):
        out[segment.session] += (segment.end - segment.start) // 60_000_000_000
    return out


def settings(
    root: Path, dataset: str, pattern: str, fields: dict[str, str], *, zone: str = "Asia/Shanghai",
    calendar: str = "XSHG", encoding: str = "utf-8", form: str = "csv", **params: object,
) -> SourceSettings:  # fmt: skip
    columns = tuple(FieldSettings(column, name) for column, name in fields.items())
    wanted = DatasetSettings(dataset, pattern, columns, dict(params), format=form, encoding=encoding)
    return SourceSettings(
        "real", "files", root=root, timezone=zone, calendar=calendar, datasets={dataset: wanted}
    )


NAMED = {"<Date>": "date", "<Time>": "time", "<Volume>": "volume", "code": "code"} | {
    f"<{name.title()}>": name for name in OHLC
}


@pytest.mark.parametrize(
    ("file", "code", "sessions"),
    [
        ("SHFE.rb.HOT_m5", "rb.HOT.SHFE", 252),
        ("CZCE.CF.HOT_m5", "CF.HOT.CZCE", 252),
        ("DCE.i.HOT_m5", "i.HOT.DCE", 252),
        ("DCE.m.HOT_m5", "m.HOT.DCE", 118),
    ],
)
def test_nights_of_futures_belong_to_the_next_session(
    shared: Locate, tmp_path: Path, file: str, code: str, sessions: int
) -> None:
    root = shared("data/cnfut_20*/csv")
    source = settings(root, "bars_5m", f"{file}.csv.gz", NAMED, encoding="gbk",
                      extract={"<Date>": r"^(\S+)"}, constants={"code": code})  # fmt: skip
    made = loaded(source, "bars_5m", code, Lake(tmp_path / "lake"))
    assert made.rejected.height == 0
    held = made.rows.group_by("session").agg(pl.len(), pl.col("ts").min(), pl.col("volume").sum())
    assert held.height in (sessions, sessions + 1)  # the last night's session may still be to come
    inner = held.sort("session")[1:-1]
    wanted = minutes_of(code, inner["session"].to_list())
    holes = [d for d, n in inner.select("session", "len").iter_rows() if n * 5 != wanted[d]]
    assert len(holes) <= 3, "the vendor lost a few evenings of December 2019; all other bars are there"
    mondays = held.filter((pl.col("session").dt.weekday() == 1) & (pl.col("len") > 45))
    assert (mondays["ts"].dt.convert_time_zone("Asia/Shanghai").dt.weekday() == 5).all()


def test_minutes_of_copper_resample_along_night_and_breaks(shared: Locate, tmp_path: Path) -> None:
    root = shared("data/cnfut_20*/csv")
    same = ("date", "time", *OHLC, "volume", "code")
    fields = {**{n: n for n in same}, "turnover": "amount", "hold": "open_interest"}
    source = settings(root, "bars_1m", "SHFE.CU.2202_m1.csv.gz", fields, constants={"code": "cu2202.SHFE"})
    made = loaded(source, "bars_1m", "cu2202.SHFE", Lake(tmp_path / "lake"))
    assert made.rejected.height == 0
    minutes = made.rows.sort("instrument_id", "ts")
    inner = minutes.group_by("session").len().sort("session")[1:-1]
    wanted = minutes_of("cu2202.SHFE", inner["session"].to_list())
    assert dict(inner.iter_rows()) == wanted and set(wanted.values()) == {465, 225}
    hours = trading_hours(parse_code("cu2202.SHFE"), minutes["session"].unique().sort().to_list())
    for seconds, whole, day in ((300, 93, 45), (3600, 8, 4), (0, 1, 1)):
        longer = resample(minutes, hours, seconds, from_bars=True)
        assert not len(longer.outside)
        counted = longer.bars.group_by("session").len().sort("session")[1:-1]
        assert dict(counted.iter_rows()) == {d: whole if n == 465 else day for d, n in wanted.items()}
        for name in ("volume", "amount"):
            assert longer.bars[name].sum() == minutes[name].sum()
        last = minutes.group_by("session", maintain_order=True).last()
        closes = longer.bars.group_by("session", maintain_order=True).last()
        assert closes["open_interest"].to_list() == last["open_interest"].to_list()


def test_hours_made_of_five_minutes_are_the_vendors(shared: Locate) -> None:
    """JoinQuant's own hours against ours, over thirteen years of one A-share."""
    root = shared("data/ashare_08*")
    wanted = ["timestamp", *OHLC, "volume", "turnover"]

    def read(name: str) -> pl.DataFrame:
        frame = pl.read_csv(root / name, infer_schema=False).filter(pl.col("code") == "000338").select(wanted)
        at = pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us")
        numbers = [pl.col(n).cast(pl.Float64).cast(pl.Decimal(28, 8)) for n in (*OHLC, "volume")]
        return frame.with_columns(
            *numbers,
            amount=pl.col("turnover").cast(pl.Float64).cast(pl.Decimal(28, 8)),
            open_interest=pl.lit(None, pl.Decimal(28, 8)),
            instrument_id=pl.lit(1, pl.Int64),
            ts=at.dt.replace_time_zone("Asia/Shanghai").dt.convert_time_zone("UTC"),
            session=at.dt.date(),
        ).sort("ts")

    fine, coarse = read("stock_5m_kdata.csv.gz"), read("stock_1h_kdata.csv.gz")
    days = sorted(set(fine["session"].to_list()) & set(coarse["session"].to_list()))
    whole = fine.group_by("session").len().filter(pl.col("len") == 48)["session"]
    hours = trading_hours(parse_code("000338.SZ"), days)
    fine = fine.filter(pl.col("session").is_in(days)).unique("ts", keep="first", maintain_order=True)
    made = resample(fine.sort("ts"), hours, 3600, from_bars=True, every_trade=False).bars
    both = made.join(coarse, on="ts", suffix="_vendor").filter(pl.col("session").is_in(whole.implode()))
    assert both.height > 10_000
    for name in OHLC:
        same = (both[name] == both[f"{name}_vendor"]).mean()
        assert same is not None and same > 0.99, (name, same)
    near = (both["volume"] - both["volume_vendor"]).cast(pl.Float64).abs() <= 12  # it rounds each of twelve
    assert near.mean() > 0.99, near.mean()


def test_ticks_of_an_index_future_give_its_minutes(shared: Locate, tmp_path: Path) -> None:
    root = shared("data/cnfut_20*/csv")
    fields = {"code": "code", "created_at": "ts", "price": "price", "cum_volume": "cumulative_volume",
              "cum_amount": "cumulative_amount", "cum_position": "open_interest"}  # fmt: skip
    source = settings(root, "ticks", "CFFEX.IC_gm_ticks_20210427.csv.gz", fields,
                      constants={"code": "IC2105.CFFEX"})  # fmt: skip
    lake = Lake(tmp_path / "lake")
    made = loaded(source, "ticks", "IC2105.CFFEX", lake)
    ticks = made.rows.drop("row", strict=False)
    raw = pl.read_csv(next(root.glob("CFFEX.IC_gm*")), infer_schema=False)
    total = raw["cum_volume"].cast(pl.Int64).max()
    assert made.rejected.height == 0 and ticks["volume"].sum() == total
    assert ticks["seq"].to_list() == list(range(ticks.height))
    hours = trading_hours(parse_code("IC2105.CFFEX"), [date(2021, 4, 27)])
    bars = resample(ticks.sort("seq"), hours, 60, from_bars=False)
    assert bars.bars.height == 240 and not len(bars.outside)
    assert bars.bars["volume"].sum() == total
    first = bars.bars.row(0, named=True)
    assert first["ts"] == datetime(2021, 4, 27, 1, 31, tzinfo=UTC), (
        "the auction's print is in the first minute"
    )
    assert float(first["open"]) == pytest.approx(6436.2, abs=1e-3)


def test_trades_of_crypto_are_read_and_resampled_in_the_lake(shared: Locate, tmp_path: Path) -> None:
    path = shared("data/crypto_40*/spot_btcusdt*.gz")
    fields = {"code": "code", "data.T": "ts", "data.p": "price", "data.q": "volume", "data.m": "side"}
    source = settings(path.parent, "ticks", path.name, fields, zone="UTC", calendar="24x7", form="json_lines",
                      where={"stream": "btcusdt@trade"}, constants={"code": "BTCUSDT.BINANCE"})  # fmt: skip
    side = FieldSettings("data.m", "side", values={"true": "sell", "false": "buy"})
    wanted = source.datasets["ticks"]
    from dataclasses import replace

    columns = (*(f for f in wanted.fields if f.name != "side"), side)
    source = replace(source, datasets={"ticks": replace(wanted, fields=columns)})
    lake = Lake(tmp_path / "lake")
    made = loaded(source, "ticks", "BTCUSDT.BINANCE", lake)
    assert set(made.rows["side"].unique().to_list()) == {"buy", "sell"}
    assert made.rejected.height == 0
    day = date(2024, 8, 8)
    rows = made.rows.drop("row", strict=False).filter(pl.col("session") == day)
    assert rows.height > 0.99 * made.rows.height
    lake.write_interval(table_ref("ticks"), rows, day, day)
    lake.merge(table_ref("instruments"), instruments_row(int(rows["instrument_id"][0])))
    report = resample_table(lake, "ticks", "bars_1m", day, day, STAMP)
    bars = lake.read("bars_1m")
    assert report.bars == bars.height and report.outside == 0 and bars["volume"].sum() == rows["volume"].sum()
    assert bars["ts"].min() == datetime(2024, 8, 8, 23, 55, tzinfo=UTC)
    again = resample_table(lake, "bars_1m", "bars_5m", day, day, STAMP)
    straight = resample_table(lake, "ticks", "bars_5m", day, day, STAMP)
    assert (
        again.bars == straight.bars and not resample_table(lake, "ticks", "bars_5m", day, day, STAMP).changed
    )


def instruments_row(instrument: int) -> pl.DataFrame:
    target = table_ref("instruments").contract
    given = {"instrument_id": instrument, "code": "BTCUSDT.BINANCE", "mic": "BINANCE", "board": "UNKNOWN",
             "currency": "USDT", "recorded_at": STAMP, "source": "real", "payload": "0"}  # fmt: skip
    return pl.DataFrame([given], schema_overrides={"recorded_at": pl.Datetime("us", "UTC")}).select(
        (pl.col(n) if n in given else pl.lit(None)).cast(t).alias(n) for n, t in target.schema.items()
    )
