"""Synthetic bars, one cause each; the limits against the compiled rule; what is refused and left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import CheckFailed
from quant.core.market.calendar import calendar
from quant.core.money import RATE_SCALE
from quant.native.extension import native
from quant.warehouse.rulecheck import CAUSES, Known, Side, SideCheck, check_sides
from quant.warehouse.rulecheck.bounds import bounds

CODE = "600000.SH"
Bar = tuple[date, float, float, float, float]


def days(start: date, count: int) -> list[date]:
    found = calendar("XSHG").sessions(start, date(start.year + 2, 12, 31))
    return found[:count]


def flat(start: date, count: int, price: float = 10.0) -> list[Bar]:
    return [(day, price, price, price, price) for day in days(start, count)]


def frame(bars: list[Bar], code: str = CODE, **columns: Any) -> pl.DataFrame:
    rows = pl.DataFrame(bars, schema=["session", "open", "high", "low", "close"], orient="row")
    more = {k: pl.Series(v) if isinstance(v, list) else pl.lit(v) for k, v in columns.items()}
    return rows.with_columns(pl.lit(code).alias("code"), **more).cast({"session": pl.Date})


def check(bars: pl.DataFrame, *witnesses: pl.DataFrame, known: Known | None = None, **kw: Any) -> SideCheck:
    sides = [Side("a", bars), *(Side(f"b{n}", each) for n, each in enumerate(witnesses))]
    return next(iter(check_sides(sides, known or Known(), judged=1, **kw)))


def causes(found: SideCheck) -> dict[str, int]:
    return {row["cause"]: row["prints"] for row in found.causes.to_dicts()}


def events(**changes: Any) -> pl.DataFrame:
    plain: Mapping[str, Any] = {
        "code": CODE, "ex_session": date(2024, 3, 5), "kind": None, "cash_per_share": Decimal(0),
        "bonus_ratio": Decimal(1), "rights_ratio": Decimal(0), "rights_price": Decimal(0),
    }  # fmt: skip
    schema = {
        "code": pl.String, "ex_session": pl.Date, "kind": pl.String, "cash_per_share": pl.Decimal(18, 6),
        "bonus_ratio": pl.Decimal(18, 8), "rights_ratio": pl.Decimal(18, 8),
        "rights_price": pl.Decimal(18, 6),
    }  # fmt: skip
    return pl.DataFrame([{**plain, **changes}], schema=schema)


START = date(2024, 3, 4)
HALVED = [*flat(START, 1), *flat(date(2024, 3, 5), 2, 5.0)]


def test_a_print_at_the_limit_is_inside_and_a_tick_beyond_is_unexplained() -> None:
    at = [*flat(START, 1), (days(START, 2)[1], 10.0, 11.0, 9.0, 10.0)]
    inside = check(frame(at))
    assert (inside.prints.height, inside.at_limit, inside.judged) == (0, 1, 1)
    beyond = check(frame([at[0], (at[1][0], 10.0, 11.01, 8.99, 10.0)]))
    assert causes(beyond) == {"unexplained": 2}
    assert beyond.prints.select("print", "price", "down", "up").rows() == [
        ("high", 11.01, 9.0, 11.0),
        ("low", 8.99, 9.0, 11.0),
    ]


def test_a_distribution_that_is_known_is_taken_off_and_one_that_is_not_stays_unexplained() -> None:
    assert causes(check(frame(HALVED))) == {"unexplained": 4}
    assert causes(check(frame(HALVED), known=Known(events()))) == {}


def test_a_stated_reference_without_the_distribution_is_an_ex_date_fault() -> None:
    wrong = frame(HALVED, pre_close=[10.0, 10.0, 5.0])
    assert causes(check(wrong)) == {"unexplained": 4}
    assert causes(check(wrong, known=Known(events()))) == {"ex_date": 4}
    right = frame(HALVED, pre_close=[10.0, 5.0, 5.0])
    assert causes(check(wrong, right)) == {"ex_date": 4}
    assert causes(check(frame(HALVED, factor=[1.0, 2.0, 2.0]))) == {"ex_date": 4}
    assert causes(check(frame(HALVED, factor=[1.0, 1.1, 1.1]))) == {"unexplained": 4}


def test_days_after_listing_are_free_as_many_as_the_rule_of_the_listing_day_says() -> None:
    jump = flat(date(2024, 3, 4), 3, 30.0)
    listed = Known(listed=pl.DataFrame({"code": [CODE], "list_date": [date(2024, 3, 4)]}))
    first = frame(jump[:1], pre_close=[10.0])
    assert causes(check(first, known=listed)) == {"listing": 4}
    long_ago = Known(listed=pl.DataFrame({"code": [CODE], "list_date": [date(1999, 11, 10)]}))
    assert causes(check(first, known=long_ago)) == {"unexplained": 4}
    sixth = frame(flat(date(2024, 3, 4), 6), pre_close=[10.0] * 5 + [20.0])
    assert causes(check(sixth, known=listed)) == {"unexplained": 4}


def test_the_first_day_of_the_older_regime_ends_at_44_percent() -> None:
    listed = Known(listed=pl.DataFrame({"code": [CODE], "list_date": [date(2020, 3, 2)]}))
    inside = frame([(date(2020, 3, 2), 12.0, 14.4, 12.0, 14.4)], pre_close=[10.0])
    assert causes(check(inside, known=listed)) == {"listing": 4}
    beyond = frame([(date(2020, 3, 2), 12.0, 14.41, 12.0, 14.4)], pre_close=[10.0])
    assert causes(check(beyond, known=listed)) == {"unexplained": 4}


def test_a_long_halt_is_a_resumption_only_while_the_rule_was_in_force() -> None:
    def halted(start: date, end: date) -> pl.DataFrame:
        return frame([(start, 10.0, 10.0, 10.0, 10.0), (end, 30.0, 30.0, 30.0, 30.0)])

    assert causes(check(halted(date(2020, 4, 1), date(2021, 8, 10)))) == {"resumption": 4}
    assert causes(check(halted(date(2021, 8, 2), date(2021, 8, 10)))) == {"unexplained": 4}
    assert causes(check(halted(date(2023, 5, 4), date(2024, 8, 12)))) == {"unexplained": 4}


def test_the_share_reform_frees_one_day_a_share() -> None:
    bars = [*flat(date(2006, 3, 1), 2), *flat(date(2006, 4, 3), 1, 13.0), *flat(date(2006, 5, 8), 1, 17.0)]
    found = check(frame(bars))
    assert causes(found) == {"share_reform": 4, "unexplained": 4}
    told = Known(events(ex_session=date(2024, 3, 5), kind="reform"))
    assert causes(check(frame(HALVED), known=told)) == {"share_reform": 4}


def test_prints_of_a_normal_share_show_that_the_data_is_wrong_about_st() -> None:
    bars = [*flat(START, 1), (days(START, 2)[1], 10.0, 10.8, 10.0, 10.8)]
    assert causes(check(frame(bars, st=True))) == {"status": 2}
    assert causes(check(frame(bars, st=False))) == {}
    beyond = [bars[0], (bars[1][0], 10.0, 11.01, 10.0, 10.8)]
    assert causes(check(frame(beyond, st=True))) == {"unexplained": 2}


def test_spells_say_what_the_bars_are_silent_about() -> None:
    bars = frame([*flat(START, 1), (days(START, 2)[1], 10.0, 10.8, 10.0, 10.8)])
    spells = pl.DataFrame(
        [(CODE, "st", START, None)], orient="row",
        schema={"code": pl.String, "attribute": pl.String, "from_session": pl.Date, "to_session": pl.Date},
    )  # fmt: skip
    found = check(bars, known=Known(spells=spells))
    assert causes(found) == {"status": 2}
    assert "status unknown: taken as normal" not in found.assumed
    assert check(bars).assumed["status unknown: taken as normal"] == 1


def test_the_first_session_of_the_delisting_period_is_free() -> None:
    bars = [*flat(START, 2), (days(START, 3)[2], 3.0, 3.0, 2.0, 2.0), *flat(days(START, 4)[3], 1, 0.5)]
    found = check(frame(bars, delisting=[False, False, True, True]))
    assert causes(found) == {"delisting_day": 4, "unexplained": 4}


def test_another_source_without_the_print_shows_a_data_error() -> None:
    day = days(START, 2)[1]
    wrong = frame([*flat(START, 1), (day, 10.0, 100.0, 10.0, 10.0)])
    right = frame([*flat(START, 1), (day, 10.0, 10.1, 10.0, 10.0)])
    assert causes(check(wrong, right)) == {"vendor_error": 1}
    assert causes(check(wrong, wrong)) == {"unexplained": 1}


def test_a_price_between_two_ticks_is_a_fault_and_explains_less_than_a_tick() -> None:
    day = days(START, 2)[1]
    found = check(frame([*flat(START, 1), (day, 10.0, 10.0, 8.999, 8.999)]))
    assert causes(found) == {"off_tick": 2}
    assert found.fault_counts == {"off_tick": 1}
    assert causes(check(frame([*flat(START, 1), (day, 10.0, 10.0, 8.989, 8.989)]))) == {"unexplained": 2}


def test_shenzhen_before_2001_goes_six_cents_beyond_and_shanghai_does_not() -> None:
    bars = [*flat(date(1999, 3, 1), 1), (date(1999, 3, 2), 10.0, 11.06, 10.0, 10.0)]
    assert causes(check(frame(bars, "000001.SZ"))) == {"szse_before_2001": 1}
    assert causes(check(frame(bars))) == {"unexplained": 1}
    later = [*flat(date(2001, 3, 1), 1), (date(2001, 3, 2), 10.0, 11.06, 10.0, 10.0)]
    assert causes(check(frame(later, "000001.SZ"))) == {"unexplained": 1}


def test_a_declared_adjustment_explains_two_ticks_and_no_more() -> None:
    day = days(START, 2)[1]
    for high, cause in ((11.02, "adjusted"), (11.03, "unexplained")):
        side = Side("a", frame([*flat(START, 1), (day, 10.0, high, 10.0, 10.0)]), "pre")
        assert causes(next(iter(check_sides([side], Known())))) == {cause: 1}


def test_what_is_no_share_and_what_no_row_covers_is_left_out_with_its_count() -> None:
    bars = pl.concat([
        frame(flat(START, 2)), frame(flat(START, 2), "510300.SH"), frame(flat(START, 2), "900901.SH"),
        frame(flat(START, 2), "000300.SH"), frame(flat(date(1995, 3, 1), 2), "600001.SH"),
    ])  # fmt: skip
    found = check(bars)
    assert found.left_out == {
        "fund": 2,
        "Shanghai B share": 2,
        "no code of a stock": 2,
        "before the rulebook's first row": 2,
        "no reference: the first bar of a code": 1,
    }
    assert (found.bars, found.judged) == (10, 1)


def test_bars_without_trades_carry_no_prints_but_break_no_chain() -> None:
    bars = frame([*flat(START, 1), *flat(days(START, 2)[1], 1, 50.0), *flat(days(START, 3)[2], 1)])
    found = check(bars.with_columns(volume=pl.Series([100.0, 0.0, 100.0])))
    assert (found.prints.height, found.left_out["no trade"]) == (0, 1)


def test_faults_are_parts_of_shares_and_closed_days_not_odd_lots() -> None:
    bars = [*flat(date(2024, 3, 1), 1), (date(2024, 3, 2), 10.0, 10.0, 10.0, 10.0)]
    found = check(frame(bars, volume=[137.0, 100.5]))
    assert found.fault_counts == {"no_session": 1, "part_of_a_share": 1}
    assert found.odd == 1


def test_prints_of_zero_are_faults_and_bars_outside_the_calendar_are_counted() -> None:
    bars = [*flat(START, 1), (days(START, 2)[1], 0.0, float("nan"), -1.0, 10.0)]
    bars += [(date(1989, 3, 6), 1.0, 1.0, 1.0, 1.0), (date(2031, 3, 3), 50.0, 50.0, 50.0, 50.0)]
    found = check(frame(bars))
    assert causes(found) == {}
    assert found.fault_counts == {"no_price": 1}
    assert found.left_out["outside the calendar of the exchange"] == 2


def test_sessions_before_the_first_asked_for_are_only_what_comes_before() -> None:
    bars = [*flat(START, 2, 10.0), *flat(days(START, 3)[2], 1, 20.0)]
    found = check(frame(bars), since=days(START, 3)[2])
    assert (found.bars, found.judged, causes(found)) == (1, 1, {"unexplained": 4})


def test_two_bars_of_one_session_are_refused_unless_they_say_the_same() -> None:
    bars = frame(flat(START, 2))
    assert check(pl.concat([bars, bars])).judged == 1
    with pytest.raises(CheckFailed) as refused:
        check(pl.concat([bars, frame(flat(START, 2, 11.0))]))
    assert refused.value.fault.code == "rules.two_bars"


def test_the_list_of_causes_is_closed_and_says_what_each_needs(repository: Path) -> None:
    page = (repository / "docs" / "rule-check.md").read_text(encoding="utf-8")
    named = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(named) == sorted(CAUSES)
    assert all(cause.about and cause.shown for cause in CAUSES.values())


@given(
    st.integers(1, 199_999).map(lambda cents: cents * 100),
    st.sampled_from((50_000_000, 100_000_000, 200_000_000, 300_000_000)),
    st.sampled_from((10, 100)),
)
def test_limits_are_those_of_the_compiled_rule(reference: int, rate: int, tick: int) -> None:
    row = pl.DataFrame({"base": [reference], "rate": [rate], "tick": [tick]})
    exprs = bounds(pl.col("base"), pl.col("rate"), pl.col("rate"), pl.col("tick"))
    compiled = native.price_band(reference, (RATE_SCALE + rate, RATE_SCALE - rate, tick))
    assert row.select(**exprs).row(0) == compiled
