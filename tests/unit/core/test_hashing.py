"""Canonical bytes: one meaning, one text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.core.errors import QuantError
from quant.core.hashing import canonical_json, decimal_text, digest, fingerprint

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Colour(IntEnum):
    RED = 7


@dataclass(frozen=True)
class Point:
    y: Decimal
    x: date


@given(PLAIN)
def test_plain_data_is_json_that_reads_back_and_is_stable(obj):
    try:
        text = canonical_json(obj)
    except QuantError as refused:  # lone surrogates have no UTF-8
        assert refused.fault.code == "hash.unsupported"
        return
    assert json.loads(text) == obj
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text("abcdef"), st.integers(), min_size=2))
def test_key_order_does_not_count(table):
    assert fingerprint(table) == fingerprint(dict(reversed(table.items())))


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(0, 6))
def test_decimals_of_one_value_have_one_text(number, zeros):
    sign, digits, exponent = number.as_tuple()
    padded = Decimal((sign, (*digits, *(0,) * zeros), exponent - zeros))
    assert decimal_text(padded) == decimal_text(number)
    assert Decimal(decimal_text(number)) == number
    assert len(decimal_text(number)) < 200


def test_every_supported_kind_has_its_form():
    obj = {
        "point": Point(Decimal("0.10"), date(2024, 6, 3)),
        "colour": Colour.RED,
        "moment": datetime(2024, 6, 3, 9, 30, tzinfo=timezone(timedelta(hours=8))),
        "set": {"b", "a"},
        "tuple": (1, None, True),
        "中文": "值",
    }
    assert canonical_json(obj).decode() == (
        '{"colour":7,"moment":"2024-06-03T01:30:00+00:00","point":{"x":"2024-06-03","y":"0.1"},'
        '"set":["a","b"],"tuple":[1,null,true],"中文":"值"}'
    )


def test_zero_has_one_text():
    assert {decimal_text(Decimal(t)) for t in ("0", "0.00", "-0", "0E+5", "-0E-9")} == {"0"}


def nested(depth: int) -> list[object]:
    inner: list[object] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    "obj",
    [float("nan"), float("inf"), {"a": float("-inf")}, Decimal("NaN"), {1: 2}, object(), b"x", "\ud800",
     datetime(2024, 6, 3), nested(100_000), Point, 1j],
    ids=lambda obj: type(obj).__name__,
)  # fmt: skip
def test_what_has_no_canonical_form_is_refused(obj):
    with pytest.raises(QuantError) as refused:
        canonical_json(obj)
    assert refused.value.fault.code == "hash.unsupported"


def test_digest_is_sha256_of_utf8():
    assert (
        digest("abc") == digest(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert fingerprint({"b": 1, "a": datetime(2024, 6, 3, tzinfo=UTC)}) == digest(
        '{"a":"2024-06-03T00:00:00+00:00","b":1}'
    )
