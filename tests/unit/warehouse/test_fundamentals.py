"""Reports by announcement: from a vendor's wide rows to what was known when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_market import tables

from quant.core.errors import SpecError
from quant.research.reported import known_matrix
from quant.warehouse.lake import Lake
from quant.warehouse.pit import join_known, known_steps, latest_known
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings
from quant.warehouse.sync import plan_sync, sync

MASTER = "ts_code,name,list_date\n600519.SH,贵州茅台,20010827\n600036.SH,招商银行,20020409\n"
START, END = date(2023, 1, 3), date(2025, 12, 31)


def source(root: Path, pattern: str, fields: tuple[FieldSettings, ...], dataset: str = "fundamentals",
           **more: object) -> SourceSettings:  # fmt: skip
    master = (
        FieldSettings("ts_code", "code"),
        FieldSettings("name", "name"),
        FieldSettings("list_date", "list_date", format="%Y%m%d"),
    )
    datasets = {
        "instruments": DatasetSettings("instruments", "master.csv", master),
        dataset: DatasetSettings(dataset, pattern, fields),
    }
    return SourceSettings("vendor", "files", root=root, datasets=datasets, **more)  # type: ignore[arg-type]


def synced(lake: Lake, given: SourceSettings, dataset: str = "fundamentals") -> pl.DataFrame:
    wanted = tables("vendor", names=("instruments", dataset))
    for _ in sync(plan_sync(wanted, {"vendor": given}, lake, START, END), lake, run="t"):
        pass
    return lake.read(dataset)


def folder(tmp_path: Path, **files: str) -> Path:
    root = tmp_path / "vendor"
    root.mkdir(exist_ok=True)
    (root / "master.csv").write_text(MASTER, encoding="utf-8")
    for name, text in files.items():
        (root / f"{name}.csv").write_text(text, encoding="utf-8")
    return root


INCOME = (
    FieldSettings("ts_code", "code"),
    FieldSettings("ann_date", "first_announced"),
    FieldSettings("f_ann_date", "announced"),
    FieldSettings("end_date", "period_end"),
    FieldSettings("update_flag", "update_flag"),
    FieldSettings("basic_eps", "eps"),
    FieldSettings("revenue", "revenue", unit="wan"),
)
HEADER = "ts_code,ann_date,f_ann_date,end_date,update_flag,basic_eps,revenue\n"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def value(rows: pl.DataFrame, item: str, moment: str) -> float | None:
    known = latest_known(rows, at(moment)).filter(pl.col("item") == item)
    return known["value"][0] if known.height else None


def test_wide_rows_become_one_row_per_item_with_its_announcement(lake: Lake, tmp_path: Path) -> None:
    text = HEADER + "600519.SH,20240403,20240403,20231231,1,59.49,14769360.5\n"
    rows = synced(lake, source(folder(tmp_path, income=text), "income.csv", INCOME))
    found = rows.select("report", "item", "period_end", "announced", "value", "known_at").sort("item")
    known = at("2024-04-03T20:00+08:00")
    assert found.rows() == [
        ("income", "eps", date(2023, 12, 31), date(2024, 4, 3), 59.49, known),
        ("income", "revenue", date(2023, 12, 31), date(2024, 4, 3), 147693605000.0, known),
    ]


def test_a_restatement_is_a_further_row_known_from_its_own_announcement(lake: Lake, tmp_path: Path) -> None:
    text = HEADER + (
        "600519.SH,20240403,20240403,20231231,0,59.49,100\n"
        "600519.SH,20240427,20240427,20240331,0,19.16,30\n"
        "600519.SH,20240403,20250403,20231231,1,58.00,99\n"
    )
    rows = synced(lake, source(folder(tmp_path, income=text), "income.csv", INCOME))
    assert rows.filter(pl.col("item") == "eps").height == 3
    assert value(rows, "eps", "2024-04-03T19:59+08:00") is None
    assert value(rows, "eps", "2024-04-03T20:00+08:00") == 59.49
    assert value(rows, "eps", "2024-04-27T20:00+08:00") == 19.16
    assert value(rows, "eps", "2025-04-03T20:00+08:00") == 19.16, "an older period never replaces a newer one"
    annual = rows.filter(pl.col("period_end") == date(2023, 12, 31))
    assert value(annual, "eps", "2025-04-03T20:00+08:00") == 58.0


def test_versions_without_a_date_of_their_own_count_as_first_published(lake: Lake, tmp_path: Path) -> None:
    text = HEADER + (
        "600519.SH,20240427,20240427,20240331,1,19.20,31\n600519.SH,20240427,20240427,20240331,0,19.16,\n"
    )
    given = source(folder(tmp_path, income=text), "income.csv", INCOME)
    rows = synced(lake, given)
    assert value(rows, "eps", "2024-05-01T00:00+08:00") == 19.16
    assert value(rows, "revenue", "2024-05-01T00:00+08:00") == 310000.0, "filled from the later version"
    assert "undated" in lake.read("sync_log").filter(pl.col("table") == "fundamentals")["facts"][0]
    assert lake.read("quarantine").height == 0


def test_an_announcement_on_a_saturday_is_kept(lake: Lake, tmp_path: Path) -> None:
    text = HEADER + "600519.SH,20241026,20241026,20240930,0,48.42,1\n"
    rows = synced(lake, source(folder(tmp_path, income=text), "income.csv", INCOME))
    assert rows["announced"].unique().to_list() == [date(2024, 10, 26)]


def test_what_cannot_be_read_or_was_announced_too_early_is_set_aside(lake: Lake, tmp_path: Path) -> None:
    text = HEADER + (
        "600519.SH,20240403,20240403,20231231,0,fifty,1\n"
        "600519.SH,20240403,20240403,20240630,0,1.0,1\n"
        "600036.SH,20240403,20240403,20231231,0,5.63,1\n"
    )
    rows = synced(lake, source(folder(tmp_path, income=text), "income.csv", INCOME, quarantine_max=1.0))
    assert rows["value"].sort().to_list() == [5.63, 10000.0]
    broken = lake.read("quarantine").sort("rule")
    assert set(broken["rule"].to_list()) == {"announced.order", "eps.unreadable"}
    assert "fifty" in broken.filter(pl.col("rule") == "eps.unreadable")["row_json"][0]


def test_an_item_that_is_not_on_the_list_is_refused_with_the_nearest(lake: Lake, tmp_path: Path) -> None:
    fields = (*INCOME[:4], FieldSettings("basic_eps", "epss"))
    text = HEADER + "600519.SH,20240403,20240403,20231231,0,59.49,1\n"
    with pytest.raises(SpecError, match="no item") as caught:
        synced(lake, source(folder(tmp_path, income=text), "income.csv", fields))
    assert caught.value.fault.hint == "did you mean eps?"


def test_publication_dates_of_other_vendors_are_read_alike(lake: Lake, tmp_path: Path) -> None:
    text = "code,pubDate,statDate,roeAvg,epsTTM\nsh.600519,2024-04-03,2023-12-31,0.361765,59.49\n"
    fields = (
        FieldSettings("code", "code", style="baostock"),
        FieldSettings("pubDate", "announced"),
        FieldSettings("statDate", "period_end"),
        FieldSettings("roeAvg", "roe_weighted"),
    )
    rows = synced(lake, source(folder(tmp_path, profit=text), "profit.csv", fields))
    assert rows.select("item", "value").rows() == [("roe_weighted", 0.361765)]


def test_valuations_are_known_two_hours_after_the_close(lake: Lake, tmp_path: Path) -> None:
    text = "ts_code,trade_date,turnover_rate,pe_ttm,total_share,total_mv\n600519.SH,20240402,0.2342,20.4403,"
    text += "125619.78,21000000.5\n"
    fields = (
        FieldSettings("ts_code", "code"),
        FieldSettings("trade_date", "session"),
        FieldSettings("turnover_rate", "turnover", unit="percent"),
        FieldSettings("pe_ttm", "pe_ttm"),
        FieldSettings("total_share", "total_shares", unit="wan"),
        FieldSettings("total_mv", "total_cap", unit="wan"),
    )
    root = folder(tmp_path, basics=text)
    rows = synced(lake, source(root, "basics.csv", fields, "daily_basics"), "daily_basics")
    assert rows.select("turnover", "pe_ttm", "total_shares", "total_cap", "known_at").rows() == [
        (pytest.approx(0.002342), 20.4403, 1256197800, 210000005000.0, at("2024-04-02T17:00+08:00"))
    ]


REAL = (
    FieldSettings("indiv_fin_ts_code", "code"),
    FieldSettings("indiv_fin_ann_date", "announced", format="%Y%m%d"),
    FieldSettings("indiv_fin_end_date", "period_end", format="%Y%m%d"),
    FieldSettings("indiv_fin_eps", "eps"),
    FieldSettings("indiv_fin_roe", "roe", unit="percent"),
    FieldSettings("indiv_fin_fcff", "free_cash_flow"),
)


def test_real_reports_with_repeated_periods(
    lake: Lake, tmp_path: Path, shared: Callable[[str], Path]
) -> None:
    data = shared("data/ashare_10_*/stock/raw")
    root = folder(tmp_path)
    (root / "fin.csv.gz").write_bytes((data / "600519.SH_indiv_fin.csv.gz").read_bytes())
    rows = synced(lake, source(root, "fin.csv.gz", REAL))
    assert lake.read("quarantine").height == 0
    eps = rows.filter(pl.col("item") == "eps").sort("period_end")
    assert eps.height == 10, "14 rows, 4 of them a second version of a period"
    assert eps["value"].to_list() == [16.55, 28.64, 42.09, 59.49, 19.16, 33.19, 48.42, 68.64, 21.38, 36.18]
    expected = {
        "2024-04-02T23:00+08:00": 42.09,
        "2024-04-03T21:00+08:00": 59.49,
        "2024-04-26T23:00+08:00": 59.49,
        "2024-04-27T21:00+08:00": 19.16,
        "2024-10-26T19:00+08:00": 33.19,
        "2024-10-28T09:00+08:00": 48.42,
        "2025-12-01T09:00+08:00": 36.18,
    }
    assert {moment: value(rows, "eps", moment) for moment in expected} == expected
    said = pl.read_csv(root / "fin.csv.gz").filter(pl.col("indiv_fin_end_date") == 20240331)
    assert value(rows, "roe", "2024-05-06T09:00+08:00") == pytest.approx(said["indiv_fin_roe"][0] / 100)
    flows = rows.filter(pl.col("item") == "free_cash_flow").sort("period_end")
    assert flows["value"].to_list()[6] == 26747858200.1295, "from the version that says it"


def reports(seed: int, rows: int = 400) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    period = np.array(["2020-03-31", "2020-06-30", "2020-09-30", "2020-12-31"], dtype="datetime64[D]")
    ends = period[random.integers(0, 4, rows)]
    announced = ends + random.integers(1, 400, rows).astype("timedelta64[D]")
    frame = pl.DataFrame(
        {
            "instrument_id": random.integers(1, 9, rows),
            "item": random.choice(["eps", "roe"], rows),
            "period_end": pl.Series(ends).cast(pl.Date),
            "announced": pl.Series(announced).cast(pl.Date),
            "value": random.normal(size=rows),
        }
    )
    frame = frame.unique(["instrument_id", "item", "period_end", "announced"], maintain_order=True)
    known = pl.col("announced").cast(pl.Datetime("us", "UTC")) + pl.duration(hours=12)
    return frame.with_columns(known_at=known)


@pytest.mark.parametrize("seed", range(4))
def test_steps_matrix_and_join_say_what_the_definition_says(seed: int) -> None:
    rows = reports(seed)
    mornings = [datetime(2020, 3, 1, 1, tzinfo=UTC) + timedelta(days=3 * n) for n in range(200)]
    instruments = np.arange(1, 11, dtype=np.int64)
    instants = np.array([int(m.timestamp() * 1_000_000) for m in mornings], dtype=np.int64)
    for item in ("eps", "roe"):
        expected = np.full((len(mornings), len(instruments)), np.nan)
        for t, moment in enumerate(mornings):
            for row in latest_known(rows, moment).filter(pl.col("item") == item).iter_rows(named=True):
                expected[t, row["instrument_id"] - 1] = row["value"]
        found = known_matrix(rows.filter(pl.col("item") == item), instruments, instants)
        np.testing.assert_array_equal(found, expected)
        grid = pl.DataFrame(
            {
                "instrument_id": np.tile(instruments, len(mornings)),
                "ts": pl.Series(np.repeat(instants, len(instruments))).cast(pl.Datetime("us", "UTC")),
            }
        ).sample(fraction=1.0, shuffle=True, seed=seed)
        joined = join_known(grid, rows, item, at="ts")
        assert joined.select("instrument_id", "ts").equals(grid)
        again = joined.sort("ts", "instrument_id")[item].to_numpy().reshape(expected.shape)
        np.testing.assert_array_equal(again, expected)
    assert known_steps(rows).height < rows.height


def test_a_row_that_was_never_known_is_never_used() -> None:
    rows = reports(1).with_columns(known_at=pl.lit(None, pl.Datetime("us", "UTC")))
    assert latest_known(rows, datetime(2030, 1, 1, tzinfo=UTC)).height == 0
    matrix = known_matrix(rows, np.arange(1, 9), np.array([2_000_000_000_000_000], dtype=np.int64))
    assert np.isnan(matrix).all()
