"""Pairs of files as they come in life: each disagreement is named, with the side it speaks against."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from quant.core.errors import CheckFailed, QuantError
from quant.pipelines.flows.audit import AuditOutcome, audit_files, failure
from quant.warehouse.sources.simulated import SimulatedParams, SimulatedSource

OHLC = ("open", "high", "low", "close")
FIRST, LAST = date(2019, 1, 2), date(2020, 9, 30)


@cache
def bars() -> pl.DataFrame:
    """Traded bars of the simulated market as vendors print them, and the adjustment factor."""
    source = SimulatedSource(SimulatedParams(seed=3, instruments=24))
    rows, factors = (
        pl.concat([source.parse(p) for p in source.fetch(dataset, FIRST, LAST)])
        for dataset in ("bars_1d", "adjustment_factors")
    )
    prices = [pl.col(n).cast(pl.Float64) for n in (*OHLC, "pre_close", "amount")]
    return (
        rows.filter(pl.col("volume") > 0)
        .join(factors.select("code", "session", "factor"), on=["code", "session"])
        .select("session", "code", *prices, pl.col("volume").cast(pl.Int64), "factor")
        .select("session", "code", *OHLC, "volume", "amount", "pre_close", "factor")
        .sort("code", "session")
    )


def plain() -> pl.DataFrame:
    return bars().drop("pre_close", "factor")


def forward(frame: pl.DataFrame, until: date = LAST) -> pl.DataFrame:
    """Forward-adjusted as downloaded on a day."""
    known = frame.filter(pl.col("session") <= until)
    scale = pl.col("factor") / pl.col("factor").last().over("code")
    return known.with_columns((pl.col(n) * scale).round(2) for n in OHLC).drop("pre_close", "factor")


def backward(frame: pl.DataFrame) -> pl.DataFrame:
    scaled = [(pl.col(n) * pl.col("factor")).round(2) for n in OHLC]
    return frame.with_columns(scaled).drop("pre_close", "factor")


def subtracted(frame: pl.DataFrame) -> pl.DataFrame:
    """Forward-adjusted by what was paid instead of by ratios."""
    gap = (pl.col("close").shift(1).over("code") - pl.col("pre_close")).fill_null(0)
    later = gap.sum().over("code") - gap.cum_sum().over("code")
    return frame.with_columns((pl.col(n) - later).round(2) for n in OHLC).drop("pre_close", "factor")


def files(
    folder: Path, a: pl.DataFrame, b: pl.DataFrame, names: tuple[str, str] = ("a", "b")
) -> AuditOutcome:
    for name, frame in zip(names, (a, b), strict=True):
        frame.write_csv(folder / f"{name}.csv")
    return audit_files(*(str(folder / f"{name}.csv") for name in names))


def named(outcome: AuditOutcome) -> dict[str, set[str | None]]:
    """Cause -> the sides it speaks against, their folder left out."""
    found = outcome.tables[0].report.findings.filter(pl.col("kind") != "rounding")
    sides: dict[str, set[str | None]] = {}
    for cause, suspect in found.select("cause", "suspect").iter_rows():
        sides.setdefault(cause, set()).add(suspect and suspect.rpartition("/")[2])
    return sides


def test_two_forward_adjusted_downloads_that_do_not_say_so(tmp_path: Path) -> None:
    """Names without a later distribution are as traded in one of the two: the others decide."""
    outcome = files(tmp_path, forward(bars()), forward(bars(), date(2020, 3, 31)))
    assert set(named(outcome)) == {"base"}
    assert failure(outcome) is None


@pytest.mark.parametrize(
    ("names", "cause"), [(("x_qfq", "y_qfq"), "additive"), (("x", "y"), "unmarked_additive")]
)
@pytest.mark.parametrize("turned", [False, True])
def test_who_subtracts_where_the_other_scales(
    tmp_path: Path, names: tuple[str, str], cause: str, turned: bool
) -> None:
    pair = (subtracted(bars()), forward(bars())) if turned else (forward(bars()), subtracted(bars()))
    assert named(files(tmp_path, *pair, names)) == {f"{cause}_adjustment": {names[0 if turned else 1]}}


def test_prices_as_traded_that_are_called_adjusted(tmp_path: Path) -> None:
    found = named(files(tmp_path, forward(bars()), plain(), ("x_qfq", "y_qfq")))
    assert found == {"false_adjusted": {"y_qfq"}}


def test_a_column_called_adjusted_that_is_not(tmp_path: Path) -> None:
    true = plain().with_columns(adj_close=backward(bars())["close"])
    found = named(files(tmp_path, true, plain().with_columns(adj_close="close")))
    assert found == {"false_adjusted": {"b"}}


def test_one_wrong_cell_in_an_adjusted_series_in_other_units(tmp_path: Path) -> None:
    b = forward(bars(), date(2020, 3, 31)).with_row_index("n")
    b = b.with_columns(
        high=pl.when(pl.col("n") == 700).then(pl.col("high") * 10).otherwise("high"),
        volume=pl.col("volume") // 100,
        amount=(pl.col("amount") / 1000).round(3),
    ).drop("n")
    outcome = files(tmp_path, forward(bars()), b, ("x_qfq", "y_qfq"))
    assert set(named(outcome)) == {"base", "lots", "thousand_yuan", "price_scale"}
    scaled = outcome.tables[0].report.findings.filter(pl.col("cause") == "price_scale")
    assert scaled["cells"].to_list() == [1]


def test_a_forward_adjusted_series_that_steps_a_day_late(tmp_path: Path) -> None:
    late = bars().with_columns(pl.col("factor").shift(1).over("code").fill_null(1.0))
    found = named(files(tmp_path, forward(bars()), forward(late), ("x_qfq", "y_qfq")))
    assert found == {"late_factor": {"y_qfq"}}


def test_a_distribution_that_one_of_two_adjusted_series_lacks(tmp_path: Path) -> None:
    step = (pl.col("factor") / pl.col("factor").shift(1).over("code")).fill_null(1.0)
    steps = bars().with_columns(step=step)
    large = steps.filter(pl.col("step") > 1.15).head(1)
    assert large.height == 1
    code, size, day = large["code"][0], large["step"][0], large["session"][0]
    after = (pl.col("code") == code) & (pl.col("session") >= day)
    without = bars().with_columns(factor=pl.when(after).then(pl.col("factor") / size).otherwise("factor"))
    found = named(files(tmp_path, forward(bars()), forward(without), ("x_qfq", "y_qfq")))
    assert found == {"missing_factor_step": {"y_qfq"}}


@pytest.mark.parametrize(("x", "y"), [("open", "close"), ("high", "low")])
def test_columns_of_a_whole_file_exchanged(tmp_path: Path, x: str, y: str) -> None:
    b = plain().rename({x: y, y: x}).select(plain().columns)
    outcome = files(tmp_path, plain(), b)
    assert named(outcome) == {"swapped_columns": {"b"}}
    assert failure(outcome) is not None


def test_every_date_moved_counts_as_wrong(tmp_path: Path) -> None:
    b = plain().with_columns(pl.col("session").dt.offset_by("-1d"))
    outcome = files(tmp_path, plain(), b)
    assert set(named(outcome)) == {"time_zone"}
    assert failure(outcome) is not None


def test_a_unit_that_changes_within_the_file(tmp_path: Path) -> None:
    since = pl.col("session") >= date(2020, 2, 3)
    b = plain().with_columns(pl.when(since).then(pl.col("volume") // 100).otherwise("volume").alias("volume"))
    assert named(files(tmp_path, plain(), b)) == {"lots": {"b"}}


def test_headers_that_promise_lots_over_shares(tmp_path: Path) -> None:
    """Amount by volume against the prices shows which side is a power of ten off."""
    tushare = plain().rename({"code": "ts_code", "session": "trade_date", "volume": "vol"})
    found = named(files(tmp_path, tushare, plain()))
    assert found == {"lots": {"a"}, "thousand_yuan": {"a"}}


def test_another_currency_is_another_unit(tmp_path: Path) -> None:
    dollars = [(pl.col(n) / 7.1832).round(4) for n in OHLC]
    b = plain().with_columns(*dollars, amount=(pl.col("amount") / 7.1832).round(2))
    assert set(named(files(tmp_path, plain(), b))) == {"base", "unit"}


def test_dates_moved_from_some_day_on_are_one_break(tmp_path: Path) -> None:
    days = plain()["session"].unique().sort().to_list()
    later = dict(zip(days, [*days[1:], None], strict=True))
    b = plain().with_columns(
        session=pl.when(pl.col("session") >= date(2020, 6, 1))
        .then(pl.col("session").replace_strict(later, return_dtype=pl.Date))
        .otherwise("session")
    ).drop_nulls("session")  # fmt: skip
    outcome = files(tmp_path, plain(), b)
    findings = outcome.tables[0].report.findings
    shifted = findings.filter(pl.col("cause") == "shifted_day")
    assert 1 <= shifted.height <= 6
    assert shifted["cells"].sum() > 5_000


def test_numbers_with_thousands_separators(tmp_path: Path) -> None:
    text = [f"{v:,}" for v in plain()["volume"].to_list()]
    outcome = files(tmp_path, plain(), plain().with_columns(volume=pl.Series(text)))
    assert named(outcome) == {}
    assert "volume" in set(outcome.tables[0].report.summary["field"])


def test_beijing_codes_before_and_after_the_change(tmp_path: Path) -> None:
    codes = plain()["code"].unique().sort().to_list()[:2]
    former = dict(zip(codes, ("830799.BJ", "430047.BJ"), strict=True))
    present = dict(zip(codes, ("920799.BJ", "920047.BJ"), strict=True))
    some = plain().filter(pl.col("code").is_in(codes))
    a, b = (some.with_columns(pl.col("code").replace(names)) for names in (former, present))
    outcome = files(tmp_path, a, b)
    assert named(outcome) == {}
    assert outcome.tables[0].report.rows[0]["matched"] == some.height
    mixed = b.with_columns(pl.col("code").replace({"920799.BJ": "920047.BJ", "920047.BJ": "920799.BJ"}))
    with pytest.raises(CheckFailed, match="in common"):  # the numbers alone do not make them the same
        files(tmp_path, a, mixed)


SPEC = """
apiVersion: quant/v1
kind: source
name: declared
provider: files
license: test
root: .
known_at: close + 2h
datasets:
  bars_1d:
    files: a.csv
    fields:
      code: {as: code, style: tushare}
      session: {as: session}
      CLOSE: {as: close, unit: yuan}
      volume: {as: volume, unit: UNIT}
"""


def test_units_contrary_to_the_specs_count_as_wrong(tmp_path: Path) -> None:
    plain().write_csv(tmp_path / "a.csv")
    for name, unit in (("good", "shares"), ("lots", "lot100")):
        text = SPEC.replace("CLOSE", "close").replace("UNIT", unit).replace("declared", name)
        (tmp_path / f"{name}.yaml").write_text(text)
    outcome = audit_files(str(tmp_path / "good.yaml"), str(tmp_path / "lots.yaml"))
    assert set(named(outcome)) == {"lots"}
    assert failure(outcome) is not None


def test_a_spec_that_names_a_column_the_file_lacks(tmp_path: Path) -> None:
    plain().write_csv(tmp_path / "a.csv")
    text = SPEC.replace("CLOSE", "closs").replace("UNIT", "shares")
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(CheckFailed, match="no column closs"):
        audit_files(str(tmp_path / "a.csv"), str(tmp_path / "bad.yaml"))


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("b.csv.gz", b"no archive", "payload.unreadable"), ("b.parquet", b"PAR0", "payload.unreadable")],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    plain().write_csv(tmp_path / "a.csv")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(QuantError) as caught:
        audit_files(str(tmp_path / "a.csv"), str(tmp_path / name))
    assert (caught.value.fault.code, caught.value.exit_code) == (code, 3)


def test_a_folder_that_the_pattern_of_the_spec_already_names(shared: Any) -> None:
    tushare = shared("data/ashare_01_tushare_factorpro_2024/by_stock")
    baostock = shared("data/ashare_02_baostock_raw_csi300_2020_2025")
    outcome = audit_files(
        str(tushare), str(baostock), spec_a="tushare_files", spec_b="baostock_files",
        start=date(2024, 1, 1), end=date(2024, 2, 29),
    )  # fmt: skip
    assert named(outcome) == {}
    assert failure(outcome) is None


def test_a_factor_that_slips_for_a_day_is_no_wrong_reference_price(shared: Any) -> None:
    """002594 on 2024-06-25: the vendor's factor is off by two in ten thousand, the raw prices are right."""
    folder = "data/ashare_10_tushare_multi_endpoint_2023_2025/stock/raw/002594.SZ_indiv_"
    outcome = audit_files(str(shared(folder + "techin.csv.gz")), str(shared(folder + "d.csv.gz")))
    found = outcome.tables[0].report.findings.filter(pl.col("kind") != "rounding")
    assert set(found["cause"]) == {"unmarked_adjustment", "other_factor"}
    assert found.filter(pl.col("cause") == "other_factor")["session"].to_list() == [date(2024, 6, 25)]


@pytest.mark.parametrize("days", [1, -1])
def test_dates_of_an_adjusted_file_moved(tmp_path: Path, days: int) -> None:
    """The shape of a bar shows the day, the ratio of its prices the adjustment."""
    b = forward(bars()).with_columns(pl.col("session").dt.offset_by(f"{days}d"))
    found = named(files(tmp_path, plain(), b))
    assert set(found) == {"time_zone", "unmarked_adjustment"}
    assert found["unmarked_adjustment"] == {"b"}


def test_two_instruments_of_one_trade_under_one_code(tmp_path: Path) -> None:
    """Returns that go together do not make two instruments one when nothing else agrees."""
    longest = plain().group_by("code", maintain_order=True).len().sort("len")["code"][-1]
    one = plain().filter(pl.col("code") == longest)
    draw = np.random.default_rng(4)
    own = np.exp(np.cumsum(draw.normal(0, 0.01, one.height)))
    two = one.with_columns(
        *((pl.col(n) * 2.7 * pl.Series(own * draw.uniform(0.995, 1.005, one.height))).round(2) for n in OHLC),
        volume=pl.col("volume") * pl.Series(draw.uniform(0.3, 3, one.height)) // 1,
    )
    together = np.corrcoef(*(np.diff(np.log(side["close"].to_numpy())) for side in (one, two)))[0, 1]
    assert 0.8 < together < 0.97
    found = files(tmp_path, one, two).tables[0].report.findings
    assert found.filter(pl.col("cause") == "identity").height == 1


def test_volumes_adjusted_with_the_prices_by_vendors_who_disagree_on_some(shared: Any) -> None:
    """AAPL's split of 2014: one prints prices and volumes as traded, the other both adjusted."""
    folder = "data/us_31_zipline_resources/"
    raw = shared(folder + "quandl_samples/QUANDL_ARCHIVE.zip")
    split = shared(folder + "csvdir_samples/csvdir/daily/AAPL.csv.gz").parent
    found = audit_files(str(raw), str(split), start=date(2014, 1, 1)).tables[0].report.findings
    aapl = found.filter((pl.col("code") == "AAPL") & (pl.col("cause") == "adjusted_volume"))
    assert aapl["to_session"].to_list() == [date(2014, 6, 6)]
    wrong = found.filter((pl.col("code") == "AAPL") & (pl.col("cause") == "wrong_volume"))
    assert wrong.is_empty() or wrong["session"].min() > date(2014, 6, 6)
