"""Factors from events, adjusted prices as of a date, vendors' factors and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import UsageError
from quant.warehouse.adjust import adjusted, compare_factors, factors_from_events

MONEY, CASH, RATIO = pl.Decimal(18, 4), pl.Decimal(18, 6), pl.Decimal(18, 8)
DAY0 = date(2024, 1, 1)
EVENT = {"cash_per_share": CASH, "bonus_ratio": RATIO, "rights_ratio": RATIO, "rights_price": CASH}


def bars(*closes: str | None, instrument: int = 1) -> pl.DataFrame:
    """One bar a day; None is a suspended day that carries the last close."""
    rows, last = [], "1"
    for n, close in enumerate(closes):
        last = close or last
        value = Decimal(last)
        rows.append((instrument, DAY0 + timedelta(days=n), value, value, value, value, close is None))
    schema = {"instrument_id": pl.Int64, "session": pl.Date, "open": MONEY, "high": MONEY, "low": MONEY,
              "close": MONEY, "suspended": pl.Boolean}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def events(rows: Mapping[int, Mapping[str, str]], instrument: int = 1) -> pl.DataFrame:
    """Events by day number."""
    found = [
        (instrument, DAY0 + timedelta(days=n), *(Decimal(row.get(name, "0")) for name in EVENT),
         row.get("kind", "mixed"))
        for n, row in rows.items()
    ]  # fmt: skip
    schema = {"instrument_id": pl.Int64, "ex_session": pl.Date, **EVENT, "kind": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


KINDS = {
    "cash": {"cash_per_share": "0.5"},
    "bonus": {"bonus_ratio": "0.3"},
    "conversion": {"bonus_ratio": "1", "conversion_ratio": "1"},
    "rights": {"rights_ratio": "0.3", "rights_price": "6.8"},
    "mixed": {"cash_per_share": "0.123", "bonus_ratio": "0.45", "rights_ratio": "0.1", "rights_price": "5"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_total_return_over_an_event_equals_the_sum_by_hand(kind: str) -> None:
    """One share before; all that it became, cash spent at the reference price, after."""
    event = {name: Decimal(value) for name, value in KINDS[kind].items()}
    cash, bonus = event.get("cash_per_share", Decimal(0)), event.get("bonus_ratio", Decimal(0))
    rights, price = event.get("rights_ratio", Decimal(0)), event.get("rights_price", Decimal(0))
    made = factors_from_events(bars("10", "9.5"), events({1: KINDS[kind]}))
    reference = made.steps["reference"][0]
    spent = (cash - rights * price) / reference
    by_hand = (1 + bonus + rights + spent) * Decimal("9.5") / 10
    post = adjusted(bars("10", "9.5"), made.rows, "post")["close"]
    rounding = float((1 + bonus + rights) * Decimal("0.005") / 10 * Decimal("9.5") / reference)
    assert post[1] / post[0] == pytest.approx(float(by_hand), abs=rounding + 1e-12)
    assert post[1] / post[0] == pytest.approx(float(Decimal("9.5") / reference), rel=1e-15)


def test_a_known_event_has_the_exchanges_reference_and_a_factor_to_the_last_bit() -> None:
    made = factors_from_events(
        bars("35.29", "29.72"), events({1: {"cash_per_share": "0.16", "bonus_ratio": "0.3"}})
    )
    assert made.steps["reference"].to_list() == [Decimal("27.02")]
    assert made.rows["factor"].to_list() == [1.0, float(Fraction(3529, 2702))]


def test_an_ex_date_in_a_suspension_starts_from_the_last_trade() -> None:
    paid = {"cash_per_share": "1"}
    made = factors_from_events(bars("10", None, None, "8", "8"), events({1: paid, 2: paid}))
    assert made.steps["prev_close"].to_list() == [Decimal(10), Decimal(9)]
    assert made.steps["reference"].to_list() == [Decimal(9), Decimal(8)]
    assert made.rows["factor"].to_list() == pytest.approx([1, 10 / 9, 1.25, 1.25, 1.25])


def test_events_that_cannot_act_are_named() -> None:
    reform = {"bonus_ratio": "0.3", "kind": "reform"}
    paid = {"cash_per_share": "1"}
    acts = {0: paid, 1: {"cash_per_share": "11"}, 2: reform, 9: paid}
    made = factors_from_events(bars("10", "10", "10"), events(acts))
    assert made.unapplied["reason"].to_list() == [
        "before_first_bar",
        "impossible",
        "no_reference",
        "after_last_bar",
    ]
    assert made.rows["factor"].to_list() == [1.0, 1.0, 1.0]


def test_what_was_inferred_stays_marked() -> None:
    told = events({1: {"cash_per_share": "1"}, 2: {"cash_per_share": "1"}})
    told = told.with_columns(inferred=pl.Series([True, False]))
    assert factors_from_events(bars("10", "9", "9"), told).rows["inferred"].to_list() == [False, True, True]


def test_pre_ends_at_the_traded_price_and_post_begins_there() -> None:
    raw = bars("10", "9", "9", "6", "6")
    acts = events({1: {"cash_per_share": "1"}, 3: {"bonus_ratio": "0.5"}})
    factors = factors_from_events(raw, acts).rows
    pre, post = (adjusted(raw, factors, how)["close"].to_list() for how in ("pre", "post"))
    assert pre == pytest.approx([6, 6, 6, 6, 6])
    assert post == pytest.approx([10, 10, 10, 10, 10])
    assert adjusted(raw, factors, "none")["close"].to_list() == [10, 9, 9, 6, 6]
    before = adjusted(raw, factors, "pre", as_of=DAY0 + timedelta(days=2))["close"].to_list()
    assert before == pytest.approx([9, 9, 9])


def test_additive_prices_move_by_the_yuan_that_were_paid_and_may_fall_below_zero() -> None:
    raw = bars("1.5", "1.4", "12", "10")
    acts = events({1: {"cash_per_share": "0.1"}, 3: {"cash_per_share": "2"}})
    pre = adjusted(raw, acts, "pre", method="additive")["close"].to_list()
    assert pre == pytest.approx([-0.6, -0.6, 10, 10])
    post = adjusted(raw, acts, "post", method="additive")["close"].to_list()
    assert post == pytest.approx([1.5, 1.5, 12.1, 12.1])


def test_additive_maps_compose_in_the_order_of_the_events() -> None:
    raw = bars("20", "9", "5.67", "4.5")
    offer = {"rights_ratio": "0.5", "rights_price": "3"}
    acts = events({1: {"bonus_ratio": "1", "cash_per_share": "2"}, 2: offer, 3: {"cash_per_share": "1"}})
    pre = adjusted(raw, acts, "pre", method="additive")["close"].to_list()
    by_hand = ((20 - 2) / 2 + 3 * 0.5) / 1.5 - 1
    assert pre[0] == pytest.approx(by_hand)
    assert pre[-1] == 4.5
    post = adjusted(raw, acts, "post", method="additive")["close"].to_list()
    assert post[3] == pytest.approx(((4.5 + 1) * 1.5 - 1.5) * 2 + 2)


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown adjustment"):
        adjusted(bars("1"), pl.DataFrame(), "qfq")  # type: ignore[arg-type]


def test_a_bar_without_a_factor_is_not_passed_off_as_adjusted() -> None:
    raw = pl.concat([bars("10", "9"), bars("5", "5", instrument=2)])
    factors = factors_from_events(bars("10", "9"), events({1: {"cash_per_share": "1"}})).rows
    assert adjusted(raw, factors, "post")["close"].to_list() == [10, 10, None, None]


PRICE = st.decimals("1", "100", places=2).map(str)
ACT = st.fixed_dictionaries(
    {
        "cash_per_share": st.decimals("0", "0.5", places=3).map(str),
        "bonus_ratio": st.sampled_from(["0", "0.1", "0.35", "1"]),
        "rights_ratio": st.sampled_from(["0", "0", "0.3"]),
        "rights_price": st.just("2.5"),
    }
)


@given(
    closes=st.lists(PRICE, min_size=6, max_size=12),
    acts=st.dictionaries(st.integers(1, 11), ACT, max_size=5),
    cut=st.integers(1, 10),
    future=st.lists(st.tuples(PRICE, ACT), min_size=1, max_size=3),
    how=st.sampled_from(["pre", "post"]),
    method=st.sampled_from(["ratio", "additive"]),
)
def test_prices_as_of_a_day_are_the_same_whatever_happens_later(closes, acts, cut, future, how, method):
    """Both from the whole history cut at the day and from one with another future."""
    day = DAY0 + timedelta(days=min(cut, len(closes) - 1))
    raw, told = bars(*closes), events(acts)
    kept = [close for n, close in enumerate(closes) if DAY0 + timedelta(days=n) <= day]
    other = bars(*kept, *(price for price, _ in future))
    later = {len(kept) + n: act for n, (_, act) in enumerate(future)}
    told_other = pl.concat([told.filter(pl.col("ex_session") <= day), events(later)])
    seen = []
    for market, known in ((raw, told), (other, told_other)):
        given = known if method == "additive" else factors_from_events(market, known).rows
        seen.append(adjusted(market, given, how, as_of=day, method=method))
    assert seen[0].equals(seen[1])
    assert seen[0]["session"].max() == day
    if how == "pre":
        assert seen[0]["close"][-1] == float(raw.filter(session=day)["close"][0])


@given(
    closes=st.lists(PRICE, min_size=6, max_size=12), acts=st.dictionaries(st.integers(1, 11), ACT, max_size=5)
)
def test_factors_equal_the_product_of_the_rules_by_hand(closes, acts):
    made = factors_from_events(bars(*closes), events(acts))
    factor = Fraction(1)
    for n in range(len(closes)):
        if n in acts:
            act = {name: Fraction(value) for name, value in acts[n].items()}
            before = Fraction(closes[n - 1])
            value = before - act["cash_per_share"] + act["rights_ratio"] * act["rights_price"]
            cents = value / (1 + act["bonus_ratio"] + act["rights_ratio"]) * 100
            reference = Fraction(int(cents + Fraction(1, 2)), 100)
            factor *= before / reference
        assert made.rows["factor"][n] == float(factor)


# -- vendors' factors

CLOSES = ("10.00", "10.20", "10.10", "9.70", "9.75", "9.80", "9.60", "6.50", "6.55", "6.40", "6.45", "6.50")
TOLD = {3: {"cash_per_share": "0.5"}, 7: {"bonus_ratio": "0.5", "cash_per_share": "0.1"}}


def vendor(told: Mapping[int, Mapping[str, str]], digits: int = 6, base: float = 1.0) -> pl.DataFrame:
    rows = factors_from_events(bars(*CLOSES), events(told)).rows
    return rows.with_columns((pl.col("factor") * base).round(digits)).select(
        "instrument_id", "session", "factor"
    )


def causes(theirs: pl.DataFrame) -> list[tuple[int, str]]:
    found = compare_factors(bars(*CLOSES), events(TOLD), theirs).filter(pl.col("verdict") == "open")
    return [((session - DAY0).days, cause) for session, cause in found.select("session", "cause").iter_rows()]


@pytest.mark.parametrize("base", [1.0, 116.713, 0.0431])
def test_factors_of_another_base_or_fewer_digits_are_no_disagreement(base: float) -> None:
    assert causes(vendor(TOLD, 6, base)) == []
    assert causes(vendor(TOLD, 3, max(base, 1.0))) == []


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ({7: TOLD[7]}, [(3, "missing_event")]),
        ({4: TOLD[3], 7: TOLD[7]}, [(3, "late")]),
        ({2: TOLD[3], 7: TOLD[7]}, [(3, "early")]),
        ({**TOLD, 9: {"cash_per_share": "0.2"}}, [(9, "extra_event")]),
        ({3: {"cash_per_share": "0.4"}, 7: {"bonus_ratio": "0.5", "cash_per_share": "0.08"}},
         [(3, "after_tax"), (7, "after_tax")]),
        ({3: {"cash_per_share": "0.45"}, 7: {"bonus_ratio": "0.5", "cash_per_share": "0.09"}},
         [(3, "after_tax"), (7, "after_tax")]),
        ({7: {"bonus_ratio": "0.5"}}, [(3, "missing_event"), (7, "cash_ignored")]),
        ({3: TOLD[3], 7: {"cash_per_share": "0.1"}}, [(7, "bonus_ignored")]),
        ({3: {"cash_per_share": "0.3"}, 7: TOLD[7]}, [(3, "unknown")]),
    ],
)  # fmt: skip
def test_each_fault_of_a_vendors_factor_is_named(
    told: Mapping[int, Mapping[str, str]], cause: object
) -> None:
    assert causes(vendor(told)) == cause


def test_an_unrounded_reference_is_tolerated_and_said() -> None:
    rows = vendor(TOLD, 9).with_columns(
        factor=pl.when(pl.col("session") >= DAY0 + timedelta(days=3)).then(10.1 / 9.6).otherwise(1.0)
    )
    exact = 10.1 / 9.6 * 9.6 / ((9.6 - 0.1) / 1.5)
    rows = rows.with_columns(
        factor=pl.when(pl.col("session") >= DAY0 + timedelta(days=7)).then(exact).otherwise("factor")
    )
    found = compare_factors(bars(*CLOSES), events(TOLD), rows)
    assert set(found["cause"]) == {"rounding"}
    assert set(found["verdict"]) == {"tolerated"}


def test_factors_divided_out_of_additive_prices_are_one_finding() -> None:
    raw = bars(*CLOSES)
    shown = adjusted(raw, events(TOLD), "pre", method="additive")
    implied = shown.with_columns(
        factor=pl.col("close") / raw["close"].cast(pl.Float64), rounding=0.005 / pl.col("close")
    )
    found = compare_factors(raw, events(TOLD), implied.select("instrument_id", "session", "factor"))
    assert found["cause"].to_list() == ["additive"]


def test_factors_divided_out_of_rounded_prices_agree_within_their_rounding() -> None:
    raw = bars(*CLOSES)
    shown = adjusted(raw, factors_from_events(raw, events(TOLD)).rows, "pre")["close"].round(2)
    implied = raw.select("instrument_id", "session").with_columns(
        factor=shown / raw["close"].cast(pl.Float64), rounding=0.005 / shown
    )
    found = compare_factors(raw, events(TOLD), implied)
    assert found.filter(pl.col("verdict") == "open").height == 0
