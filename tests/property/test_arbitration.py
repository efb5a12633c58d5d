"""Arbitration against a slow, obvious twin: cell by cell in Python, by the words of the rules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.warehouse.arbitrate import ArbitrationSettings, ColumnRule, Margin, arbitrate, voted_columns
from quant.warehouse.contracts.tables import contract

EXAMPLES = 1500 if os.environ.get("QUANT_SOAK") == "1" else 50
TABLE = contract("daily_basics")
NAMES = ("a", "b", "c", "d")
COLUMNS = ("pe", "total_shares")
DAY = date(2024, 1, 2)
Row = dict[str, Any]
Votes = dict[str, dict[int, Row]]

values = st.sampled_from([None, 100, 101, 103, 110, 200])
moments = st.integers(0, 2).map(lambda n: datetime(2024, 1, 2, 9 + n, tzinfo=UTC))


@st.composite
def markets(draw: st.DrawFn) -> Votes:
    """Up to four sources with some of five rows each."""
    told: Votes = {}
    for name in NAMES[: draw(st.integers(1, 4))]:
        told[name] = {
            key: {"pe": draw(values), "total_shares": draw(values), "known_at": draw(moments),
                  "recorded_at": draw(moments)}
            for key in draw(st.sets(st.integers(1, 5)))
        }  # fmt: skip
    return told


rules = st.builds(
    ColumnRule,
    rule=st.sampled_from(["vote", "priority", "tolerance", "freshest"]),
    quorum=st.sampled_from([None, 1, 2, 3]),
    prefer=st.sampled_from([(), ("b",), ("c", "a")]),
    otherwise=st.sampled_from(["prefer", "null", "quarantine"]),
    margin=st.sampled_from([Margin(), Margin(abs=Decimal(1)), Margin(rel=Decimal("0.03"))]),
)


def frame(name: str, rows: Mapping[int, Row]) -> pl.DataFrame:
    said = [
        {"instrument_id": key, "session": DAY, "source": name, "payload": f"{name}{key}", **row}
        for key, row in rows.items()
    ]
    return pl.DataFrame(
        [{n: row.get(n) for n in TABLE.names} for row in said], schema=TABLE.schema, orient="row"
    )


def agrees(x: Any, y: Any, margin: Margin) -> bool:
    apart = abs(Decimal(x) - Decimal(y))
    return apart <= margin.abs or apart <= margin.rel * max(abs(Decimal(x)), abs(Decimal(y)))


def settled(rule: ColumnRule, said: list[tuple[str, Row]], name: str) -> tuple[str | None, bool]:
    """Who wins and whether there is a disagreement; ``said`` in the order of preference."""
    voters = [(who, row) for who, row in said if row[name] is not None]
    if not voters:
        return None, False
    first = voters[0]
    same = {(p, q): agrees(x[name], y[name], rule.margin) for p, x in voters for q, y in voters}
    if all(same.values()):
        return first[0], False
    winner: str | None = None
    if rule.rule == "priority":
        winner = first[0]
    elif rule.rule == "freshest":
        latest = max((row["known_at"], row["recorded_at"]) for _, row in voters)
        winner = next(w for w, row in voters if (row["known_at"], row["recorded_at"]) == latest)
    elif rule.rule == "tolerance":
        winner = first[0] if all(same[first[0], q] for q, _ in voters) else None
    else:
        support = {p: sum(same[p, q] for q, _ in voters) for p, _ in voters}
        best = max(voters, key=lambda v: support[v[0]])[0]
        tied = any(support[p] == support[best] and not same[best, p] for p, _ in voters)
        quorum = rule.quorum or len(voters) // 2 + 1
        winner = None if tied or support[best] < quorum else best
    if winner is None and rule.otherwise == "prefer":
        winner = first[0]
    return winner, True


def order(names: list[str], prefer: tuple[str, ...]) -> list[str]:
    return [*(n for n in prefer if n in names), *(n for n in names if n not in prefer)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(markets(), rules, rules)
def test_every_cell_is_what_the_words_of_the_rule_say(told: Votes, one: ColumnRule, two: ColumnRule) -> None:
    by_column = {"pe": one, "total_shares": two}
    agreed = arbitrate(
        "daily_basics",
        {name: frame(name, rows) for name, rows in told.items()},
        ArbitrationSettings(columns=by_column),
    )
    rows = {row["instrument_id"]: row for row in agreed.rows.to_dicts()}
    aside = set(agreed.set_aside["instrument_id"].to_list())
    decided = {(row["instrument_id"], row["field"]): row for row in agreed.decisions.to_dicts()}
    keys = {key for each in told.values() for key in each}
    refused: set[int] = set()
    disputed: set[tuple[int, str]] = set()
    for key in keys:
        for name, rule in by_column.items():
            said = [(who, told[who][key]) for who in order(list(told), rule.prefer) if key in told[who]]
            winner, contested = settled(rule, said, name)
            if contested:
                disputed.add((key, name))
                assert decided[key, name]["winner"] == winner
            if contested and winner is None and rule.otherwise == "quarantine":
                refused.add(key)
            elif key in rows:
                expected = None if winner is None else dict(said)[winner][name]
                assert rows[key][name] == expected
    assert aside == refused
    assert set(rows) == keys - refused
    assert set(decided) == disputed
    assert agreed.delivered == {name: len(each) for name, each in told.items()}


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(markets(), rules)
def test_the_order_of_rows_and_a_second_time_do_not_matter(told: Votes, rule: ColumnRule) -> None:
    rules_of = ArbitrationSettings(rule.rule, rule.quorum, (), "prefer")
    votes = {name: frame(name, rows) for name, rows in told.items()}
    backwards = {name: each.reverse() for name, each in votes.items()}
    first, second = (arbitrate("daily_basics", each, rules_of) for each in (votes, backwards))
    assert first.rows.sort(TABLE.key).equals(second.rows.sort(TABLE.key))
    for name in ("decisions", "set_aside"):
        one, other = getattr(first, name), getattr(second, name)
        assert one.sort(one.columns[:6]).equals(other.sort(one.columns[:6]))


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(markets(), rules)
def test_a_row_is_known_when_all_it_was_taken_from_was(told: Votes, rule: ColumnRule) -> None:
    agreed = arbitrate(
        "daily_basics",
        {name: frame(name, rows) for name, rows in told.items()},
        ArbitrationSettings(rule.rule, rule.quorum, rule.prefer, "prefer"),
    )
    for row in agreed.rows.to_dicts():
        taken = [told[name][row["instrument_id"]] for name in row["source"].split("+")]
        assert row["known_at"] == max(each["known_at"] for each in taken)
        assert row["recorded_at"] == max(each["recorded_at"] for each in taken)
        for name in COLUMNS:
            if row[name] is not None:
                assert row[name] in {each[name] for each in taken}


def test_inputs_are_left_as_they_were() -> None:
    told: Votes = {
        "a": {1: {"pe": 1.0, "total_shares": 5, "known_at": None, "recorded_at": None}},
        "b": {1: {"pe": 2.0, "total_shares": 6, "known_at": None, "recorded_at": None}},
    }
    stamp = datetime(2024, 1, 2, tzinfo=UTC)
    votes = {n: frame(n, {k: {**r, "known_at": stamp, "recorded_at": stamp} for k, r in rows.items()})
             for n, rows in told.items()}  # fmt: skip
    before = {name: each.clone() for name, each in votes.items()}
    arbitrate("daily_basics", votes, ArbitrationSettings(rule="vote", prefer=("b",)))
    assert all(votes[name].equals(before[name]) for name in votes)


def test_tolerances_of_decimals_are_exact() -> None:
    """0.1 + 0.2 is 0.3 here; one ten-thousandth more is not within the margin."""
    bars, day = contract("bars_1d"), DAY
    stamp = datetime(2024, 1, 2, tzinfo=UTC)

    def told(name: str, close: str) -> pl.DataFrame:
        row = dict.fromkeys(bars.names)
        row |= {"instrument_id": 1, "session": day, "ts": stamp, "close": Decimal(close), "volume": 1,
                "amount": Decimal(1), "source": name, "payload": "p", "recorded_at": stamp,
                "known_at": stamp + timedelta(hours=1)}  # fmt: skip
        return pl.DataFrame([row], schema=bars.schema)

    rules_of = ArbitrationSettings(rule="vote", tolerance={"close": Margin(abs=Decimal("0.1"))})
    near = arbitrate("bars_1d", {"a": told("a", "0.2"), "b": told("b", "0.3")}, rules_of)
    far = arbitrate("bars_1d", {"a": told("a", "0.2"), "b": told("b", "0.3001")}, rules_of)
    assert (near.decisions.height, far.decisions.height) == (0, 1)


def test_a_row_mixed_of_sources_never_breaks_a_rule_that_they_keep() -> None:
    """Two vendors are each right within themselves; a mix of both would have an open above the high."""
    bars, stamp = contract("bars_1d"), datetime(2024, 1, 2, 7, tzinfo=UTC)

    def told(name: str, open_: str, high: str, low: str, close: str) -> pl.DataFrame:
        row = dict.fromkeys(bars.names)
        row |= {"instrument_id": 1, "session": DAY, "ts": stamp, "volume": 100, "amount": Decimal(1000),
                "open": Decimal(open_), "high": Decimal(high), "low": Decimal(low), "close": Decimal(close),
                "source": name, "payload": name, "recorded_at": stamp, "known_at": stamp}  # fmt: skip
        return pl.DataFrame([row], schema=bars.schema)

    votes = {
        "a": told("a", "10.00", "10.10", "9.90", "10.00"),
        "b": told("b", "10.40", "10.50", "9.95", "10.00"),
    }
    mixed = ArbitrationSettings(
        columns={"open": ColumnRule(prefer=("b",)), "high": ColumnRule(prefer=("a",))}
    )
    agreed = arbitrate("bars_1d", votes, mixed)
    row = agreed.rows.row(0, named=True)
    assert row["source"] in ("a", "b")
    assert (row["open"], row["high"]) == tuple(votes[row["source"]].select("open", "high").row(0))
    assert all("agreed cells break ohlc.order" in text for text in agreed.decisions["rule"])
    assert set(agreed.decisions["winner"]) == {row["source"]}


def test_nobody_votes_on_keys_and_provenance() -> None:
    assert set(voted_columns(contract("bars_1d"))).isdisjoint(
        {"instrument_id", "session", "known_at", "recorded_at", "source", "payload"}
    )
