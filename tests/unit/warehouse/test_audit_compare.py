"""One test a class: the mistake is made, and the audit names it and says how it was recognised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from quant.core.market.calendar import calendar
from quant.warehouse.audit.compare import (
    CAUSES,
    AuditReport,
    Claims,
    Instruments,
    Listing,
    Relation,
    Request,
    Tolerance,
    compare,
)
from quant.warehouse.audit.compare.records import compare_records
from quant.warehouse.audit.compare.relation import days_of
from quant.warehouse.contracts.tables import contract

DAYS = calendar("XSHG").sessions(date(2021, 1, 4), date(2022, 12, 30))
RAW, PRE, POST, UNSAID = (
    Claims("none", units=True),
    Claims("pre", units=True),
    Claims("post", units=True),
    Claims(),
)
OHLC = ("open", "high", "low", "close")
Change = Callable[[pl.DataFrame], pl.DataFrame]


def market(names: int = 12, *, events: bool = True, seed: int = 5) -> pl.DataFrame:
    """Bars as traded: two dividends and one bonus issue a name, factors and reference prices to match."""
    draw = np.random.default_rng(seed)
    frames = []
    for n in range(names):
        close, factor, rows = 1000 + 350 * n, 1.0, []
        code = f"60{n:04d}.SH" if n % 2 else f"00{n:04d}.SZ"
        for t, day in enumerate(DAYS):
            reference = close
            if events and t in (100 + n, 340 + n):
                reference = round(close * 0.975)
            if events and t == 220 + n:
                reference = round(close / 1.3)
            factor = factor * close / reference
            moves = np.rint(reference * (1 + draw.normal(0, 0.015, 2))).astype(int)
            opened, close = max(int(moves[0]), 100), max(int(moves[1]), 100)
            high, low = (
                max(opened, close) + int(draw.integers(0, 15)),
                min(opened, close) - int(draw.integers(0, 15)),
            )
            volume = int(draw.integers(2_000, 90_000)) * 100 + int(draw.integers(0, 100))
            amount = round(volume * (opened + close + high + low) / 400, 2)
            prices = [opened / 100, high / 100, low / 100, close / 100, reference / 100]
            rows.append((code, day, *prices, float(volume), amount, round(factor, 6)))
        frames.append(pl.DataFrame(rows, orient="row", schema=[
            "code", "session", *OHLC, "pre_close", "volume", "amount", "factor"]))  # fmt: skip
    return pl.concat(frames)


BARS = market()
PLAIN = BARS.drop("factor")


def audit(
    b: pl.DataFrame, a: pl.DataFrame = PLAIN, claims_a: Claims = RAW, claims_b: Claims = RAW, **more: object
) -> AuditReport:
    return compare(Relation("a", a, claims_a), Relation("b", b, claims_b), Request(**more))  # type: ignore[arg-type]


def causes(report: AuditReport) -> set[str]:
    return set(report.findings.filter(pl.col("kind") != "rounding")["cause"].to_list())


def adjusted(frame: pl.DataFrame, way: str, digits: int = 2, until: date = DAYS[-1]) -> pl.DataFrame:
    """Prices times the factor, over that of the last day for ``pre``."""
    known = frame.filter(pl.col("session") <= until)
    base = known.group_by("code").agg(pl.col("factor").sort_by("session").last().alias("base"))
    scale = pl.col("factor") / (pl.col("base") if way == "pre" else 1.0)
    return (
        known.join(base, on="code")
        .with_columns((pl.col(n) * scale).round(digits) for n in (*OHLC, "pre_close"))
        .drop("factor", "base")
    )


def subtracted(frame: pl.DataFrame) -> pl.DataFrame:
    """Prices less what was paid later: adjusted by differences, not by ratios."""
    gap = pl.col("close").shift(1).over("code") - pl.col("pre_close")
    paid = gap.fill_null(0).cum_sum(reverse=True).over("code") - gap.fill_null(0)
    return frame.with_columns((pl.col(n) - paid).round(2) for n in OHLC).drop("pre_close", "factor")


def test_equal_relations_have_no_findings() -> None:
    report = audit(PLAIN.sample(fraction=1.0, shuffle=True, seed=1))
    assert report.findings.height == 0
    assert report.rows[0]["matched"] == PLAIN.height
    assert report.rates()["rate"].max() == 0


@pytest.mark.parametrize(
    ("field", "change", "cause"),
    [
        ("volume", pl.col("volume") / 100, "lots"),
        ("volume", (pl.col("volume") / 100).floor(), "lots"),
        ("amount", (pl.col("amount") / 1000).round(2), "thousand_yuan"),
        ("amount", pl.col("amount") / 10_000, "ten_thousand_yuan"),
    ],
)
def test_another_unit_is_one_finding(field: str, change: pl.Expr, cause: str) -> None:
    report = audit(PLAIN.with_columns(change.alias(field)))
    found = report.findings.filter(pl.col("cause") != "rounding")
    assert found.select("cause", "field", "kind", "suspect").rows() == [(cause, field, "defect", "b")]
    unsaid = audit(PLAIN.with_columns(change.alias(field)), claims_a=UNSAID, claims_b=UNSAID)
    assert unsaid.rates()["rate"].max() == 0, "a unit that nobody declared is a convention"
    assert causes(unsaid) - {"rounding"} == {cause}


def test_prices_in_cents_are_one_finding() -> None:
    report = audit(PLAIN.with_columns((pl.col(n) * 100).round() for n in (*OHLC, "pre_close")))
    assert causes(report) == {"price_scale"}


def test_percent_against_ratio() -> None:
    change = pl.col("close") / pl.col("pre_close") - 1
    a = PLAIN.with_columns((change * 100).round(4).alias("pct_chg"))
    b = PLAIN.with_columns(change.round(6).alias("pct_chg"))
    assert causes(audit(b, a)) == {"percent_vs_ratio"}


def test_lots_of_one_instrument() -> None:
    one = pl.col("code") == "600003.SH"
    report = audit(PLAIN.with_columns(volume=pl.when(one).then(pl.col("volume") / 100).otherwise("volume")))
    (found,) = report.findings.filter(pl.col("kind") != "rounding").to_dicts()
    assert (found["cause"], found["code"], found["suspect"]) == ("lots", "600003.SH", "b")
    assert "1e-2" in found["detail"]


def test_two_forward_adjusted_downloads_differ_by_their_base() -> None:
    early = adjusted(BARS, "pre", 4, until=DAYS[300])
    report = audit(adjusted(BARS, "pre", 4), early, PRE, PRE)
    assert causes(report) == {"base"}
    assert report.rates()["rate"].max() == 0


def test_declared_adjustment_is_no_disagreement() -> None:
    for way, claims in (("pre", PRE), ("post", POST)):
        report = audit(adjusted(BARS, way), claims_b=claims)
        assert causes(report) == {"adjusted"}, way
        assert report.rates()["rate"].max() == 0


@pytest.mark.parametrize("way", ["pre", "post"])
@pytest.mark.parametrize("columns", [(*OHLC, "pre_close", "volume", "amount"), OHLC, ("close",)])
def test_adjustment_that_is_not_declared(way: str, columns: tuple[str, ...]) -> None:
    shown = adjusted(BARS, way).select("code", "session", *columns)
    for claims in (RAW, UNSAID):
        report = audit(shown, claims_b=claims)
        assert causes(report) == {"unmarked_adjustment"}
        finding = report.findings.filter(pl.col("cause") == "unmarked_adjustment").row(0, named=True)
        assert finding["suspect"] == "b"
        assert "steps on ex-dates" in finding["detail"]


@pytest.mark.parametrize("columns", [OHLC, ("close",)])
def test_additive_adjustment(columns: tuple[str, ...]) -> None:
    shown = subtracted(BARS).select("code", "session", *columns)
    assert causes(audit(shown)) == {"unmarked_additive_adjustment"}
    assert causes(audit(shown, claims_b=PRE)) == {"additive_adjustment"}


def test_additive_adjustment_down_to_negative_prices() -> None:
    deep = BARS.with_columns(pl.col(n) - 60 for n in OHLC).drop("pre_close", "factor")
    shown = subtracted(BARS).with_columns((pl.col(n) - 12).round(2) for n in OHLC)
    assert (shown["close"] <= 0).any()
    report = audit(shown)
    assert causes(report) == {"unmarked_additive_adjustment"}
    assert "zero" in " ".join(report.findings["detail"].to_list())
    assert deep["close"].max() < BARS["close"].max()


def test_cash_subtracted_and_divided_by_bonus_shares() -> None:
    """As some vendors adjust forward: (price - cash) / (1 + bonus), event by event."""
    first = BARS.filter(pl.col("code") == "600001.SH")
    close = first["close"].to_numpy().copy()
    gap = np.r_[0.0, first["close"].to_numpy()[:-1] - first["pre_close"].to_numpy()[1:]]
    for t in np.flatnonzero(np.abs(gap) > 0.004)[::-1]:
        before = first["close"].to_numpy()[t - 1]
        bonus = 1.3 if gap[t] > 0.1 * before else 1.0
        cash = 0.0 if bonus > 1 else gap[t]
        close[:t] = (close[:t] - cash) / bonus
    shown = first.select("code", "session").with_columns(pl.Series("close", np.round(close, 2)))
    report = audit(shown, PLAIN.filter(pl.col("code") == "600001.SH"))
    assert causes(report) == {"unmarked_additive_adjustment"}


def test_false_adjusted_relation() -> None:
    report = audit(PLAIN, claims_b=PRE)
    found = report.findings.filter(pl.col("cause") == "false_adjusted")
    assert causes(report) == {"false_adjusted"}
    assert found["suspect"].unique().to_list() == ["b"]


def test_false_adjusted_column() -> None:
    """An adjusted column that repeats the raw one; the other source's shows what it should be."""
    own = PLAIN.with_columns(adj_close=pl.col("close"))
    report = audit(own.with_columns(adj_close=pl.Series(adjusted(BARS, "pre")["close"])), own)
    found = report.findings.filter(pl.col("cause") == "false_adjusted")
    assert found.height
    assert set(found["suspect"].to_list()) == {"a"}
    assert set(found["field"].to_list()) == {"adj_close"}


def test_a_true_adjusted_column_is_fine() -> None:
    both = BARS.with_columns(hfq_close=(pl.col("close") * pl.col("factor")).round(2))
    assert audit(both, both).findings.height == 0


def test_factor_that_does_not_belong_to_the_adjusted_prices() -> None:
    good = BARS.with_columns(hfq_close=(pl.col("close") * pl.col("factor")).round(2))
    other = good.with_columns(
        factor=pl.when(pl.col("session") > DAYS[250]).then(pl.col("factor") * 1.1).otherwise("factor")
    )
    report = audit(other, good)
    assert "factor_inconsistent" in causes(report)
    assert set(report.findings.filter(pl.col("cause") == "factor_inconsistent")["suspect"].to_list()) == {"b"}


def test_a_relation_one_session_late() -> None:
    later = dict(zip(DAYS, [*DAYS[1:], DAYS[-1] + timedelta(days=3)], strict=True))
    report = audit(PLAIN.with_columns(pl.col("session").replace_strict(later, return_dtype=pl.Date)))
    (found,) = report.findings.filter(pl.col("kind") != "rounding").to_dicts()
    assert (found["cause"], found["field"], found["suspect"]) == ("shifted_day", "session", "b")
    assert found["cells"] == PLAIN.height


@pytest.mark.parametrize("days", [-1, 1])
def test_a_relation_in_another_time_zone(days: int) -> None:
    report = audit(PLAIN.with_columns(pl.col("session") + timedelta(days=days)))
    assert causes(report) == {"time_zone"}


def test_one_instrument_one_session_late() -> None:
    one = pl.col("code") == "000004.SZ"
    later = dict(zip(DAYS, [*DAYS[1:], DAYS[-1] + timedelta(days=3)], strict=True))
    moved = pl.col("session").replace_strict(later, return_dtype=pl.Date)
    report = audit(PLAIN.with_columns(session=pl.when(one).then(moved).otherwise("session")))
    assert causes(report) == {"shifted_day"}
    assert report.findings["code"].drop_nulls().unique().to_list() == ["000004.SZ"]


def test_suspended_sessions_are_told_beside_the_findings() -> None:
    asleep = (pl.col("code") == "600005.SH") & pl.col("session").is_between(DAYS[50], DAYS[60])
    carried = PLAIN.with_columns(
        *(pl.when(asleep).then(0.0).otherwise(n).alias(n) for n in ("volume", "amount")),
        *(pl.when(asleep).then("pre_close").otherwise(n).alias(n) for n in OHLC),
    )
    absent = carried.filter(pl.col("volume") > 0)
    report = audit(absent, carried)
    assert report.findings.height == 0
    assert report.coverage.select("cause", "cells").rows() == [("suspended_rows", 11)]
    empty = carried.with_columns(pl.when(asleep).then(None).otherwise(n).alias(n) for n in OHLC)
    report = audit(empty, carried)
    assert report.findings.height == 0
    assert set(report.coverage["cause"].to_list()) == {"suspended_prices"}


def test_lone_rows_get_their_reason() -> None:
    lost = (pl.col("code") == "600001.SH") & (pl.col("session") == DAYS[77])
    late = (pl.col("code") == "000002.SZ") & (pl.col("session") < DAYS[90])
    day = (pl.col("session") == DAYS[200]) & pl.col("code").str.ends_with(".SZ")
    gone = pl.col("code") == "600009.SH"
    report = audit(PLAIN.filter(~(lost | late | day | gone)))
    rows = {(r["cause"], r["code"]): r for r in report.findings.to_dicts()}
    assert set(rows) == {
        ("missing_row", "600001.SH"),
        ("truncated_history", "000002.SZ"),
        ("missing_day", "SZ"),
    }
    assert rows["truncated_history", "000002.SZ"]["cells"] == 90
    assert rows["missing_day", "SZ"]["cells"] == 6
    assert {r["suspect"] for r in rows.values()} == {"b"}
    assert report.coverage["cause"].to_list() == ["coverage"]


def test_rows_on_closed_days_and_rows_twice() -> None:
    sunday = PLAIN.head(1).with_columns(session=pl.lit(date(2021, 3, 7)))
    twice = PLAIN.slice(40, 1)
    known = Listing(None, tuple(days_of(pl.Series(DAYS, dtype=pl.Date)).tolist()))
    report = audit(pl.concat([PLAIN, sunday, twice]), listing=known)
    assert {(r["cause"], r["suspect"]) for r in report.findings.to_dicts()} == {
        ("non_session", "b"),
        ("duplicated_row", "b"),
    }


def test_rows_after_the_delisting() -> None:
    schema = {"code": pl.String, "list_date": pl.Date, "delist_date": pl.Date}
    listing = pl.DataFrame([("600001.SH", None, DAYS[400])], schema=schema, orient="row")
    gone = (pl.col("code") == "600001.SH") & (pl.col("session") >= DAYS[400])
    report = audit(PLAIN, PLAIN.filter(~gone), listing=Listing(listing))
    assert causes(report) == {"extra_row"}


def test_the_whole_closing_volume_or_opening_auction() -> None:
    code = pl.col("code") == "600007.SH"
    late = PLAIN.with_columns(pl.when(code).then(pl.lit("688007.SH")).otherwise("code").alias("code"))
    more = late.with_columns(
        volume=pl.when(pl.col("code") == "688007.SH").then(pl.col("volume") + 3000).otherwise("volume"),
        amount=pl.when(pl.col("code") == "688007.SH")
        .then((pl.col("amount") + 3000 * pl.col("close")).round(2))
        .otherwise("amount"),
    )
    assert causes(audit(more, late)) == {"after_hours_volume"}
    less = PLAIN.with_columns(
        volume=pl.col("volume") - 3000, amount=(pl.col("amount") - 3000 * pl.col("open")).round(2)
    )
    found = audit(less)
    assert causes(found) <= {"auction_volume", "after_hours_volume"}
    assert found.causes.row(0, named=True)["cause"] == "auction_volume"


def test_rounding_is_tolerated_and_named() -> None:
    report = audit(PLAIN.with_columns((pl.col("amount") / 1000).round(2) * 1000))
    assert report.findings.select("cause", "verdict", "field").rows() == [("rounding", "tolerated", "amount")]
    single = PLAIN.with_columns(pl.col("amount").cast(pl.Float32).cast(pl.Float64))
    report = audit(single, tolerances={"amount": Tolerance()})
    assert report.findings.select("cause", "verdict").rows() == [("float32", "tolerated")]
    three = PLAIN.with_columns((pl.col(n) + 0.003).round(3) for n in OHLC)
    assert causes(audit(PLAIN, three)) == set()


def test_tolerances_can_be_declared() -> None:
    near = PLAIN.with_columns(
        close=pl.when(pl.col("session") == DAYS[9]).then(pl.col("close") + 0.01).otherwise("close")
    )
    assert causes(audit(near)) == {"wrong_close"}
    assert causes(audit(near, tolerances={"close": Tolerance(abs=0.011)})) == set()


def test_the_same_code_for_two_instruments() -> None:
    other = market(1, seed=99).drop("factor").with_columns(code=pl.lit("600001.SH"))
    report = audit(pl.concat([PLAIN.filter(pl.col("code") != "600001.SH"), other]))
    assert causes(report) >= {"identity"}
    assert report.findings.filter(pl.col("cause") == "identity")["code"].to_list() == ["600001.SH"]


def test_a_newer_version_of_one_vendor_is_restated() -> None:
    one = (pl.col("code") == "600001.SH") & (pl.col("session") == DAYS[33])
    newer = PLAIN.with_columns(close=pl.when(one).then(pl.col("close") + 0.01).otherwise("close"))
    same = Claims("none", units=True, vendor="tushare")
    assert causes(audit(newer, claims_a=same, claims_b=same)) == {"restated"}


def test_dividends_after_tax_per_ten_and_on_other_dates() -> None:
    days = [DAYS[t] for t in (20, 60, 100, 140, 180)]
    cash = {"cash_per_share": [0.5, 0.4, 0.3, 0.2, 0.1], "bonus_ratio": [0.0, 0.1, 0.0, 0.0, 0.0]}
    a = pl.DataFrame({"code": ["600001.SH"] * 5, "ex_session": days, **cash})
    moved = [days[0], days[1], days[2] + timedelta(days=1), days[3], days[4]]
    b = a.with_columns(
        pl.Series("cash_per_share", [0.45, 4.0, 0.3, 0.2, 0.1]), pl.Series("ex_session", moved)
    ).filter(pl.col("cash_per_share") != 0.2)
    sides = (Relation("a", a, RAW), Relation("b", b, RAW))
    table = contract("corporate_actions")
    report = compare_records(*sides, table, Instruments.of(a["code"]), Request("corporate_actions"))
    found = {r["cause"]: r["suspect"] for r in report.findings.to_dicts()}
    assert found == {
        "after_tax_cash": "b",
        "per_ten_shares": "b",
        "shifted_ex_date": None,
        "missing_row": "b",
    }


def test_instruments_that_the_other_side_does_not_list_are_coverage_without_dates() -> None:
    codes = ["600001.SH", "600002.SH", "600003.SH", "600004.SH"]
    a = pl.DataFrame({"instrument_id": [1, 2, 3, 4], "code": codes, "board": ["SSE_MAIN"] * 4})
    b = a.head(3).with_columns(board=pl.Series(["SSE_MAIN", "STAR", "SSE_MAIN"]))
    known = Instruments.of(a["instrument_id"], dict(zip([1, 2, 3, 4], codes, strict=True)))
    sides = (Relation("a", a, RAW), Relation("b", b, RAW))
    report = compare_records(*sides, contract("instruments"), known, Request("instruments"))
    assert report.coverage.select("cause", "cells", "session", "to_session").rows() == [
        ("coverage", 1, None, None)
    ]
    assert report.findings.select("code", "cause", "session", "to_session").rows() == [
        ("600002.SH", "wrong_board", None, None)
    ]
    assert set(report.summary["year"]) == {None}
    assert report.rates().filter(pl.col("field") == "row")["rate"].to_list() == [0.0]


def test_a_side_without_any_rows_covers_nothing() -> None:
    rows = pl.DataFrame({"code": ["600001.SH"], "ex_session": [DAYS[20]], "cash_per_share": [0.5]})
    sides = (Relation("a", rows, RAW), Relation("b", rows.clear(), RAW))
    table = contract("corporate_actions")
    report = compare_records(*sides, table, Instruments.of(rows["code"]), Request("corporate_actions"))
    assert report.findings.height == 0
    assert report.coverage.select("cause", "cells", "session").rows() == [("coverage", 1, DAYS[20])]


def test_every_class_says_what_it_is() -> None:
    assert all(cause.about and cause.about == cause.about.strip() for cause in CAUSES.values())
    assert {cause.verdict for cause in CAUSES.values()} == {"tolerated", "explained", "open"}
