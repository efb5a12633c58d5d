"""YAML 1.2 core schema, exact numbers, and the place of everything."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant.core.errors import Location
from quant.specs.read_yaml import read_yaml


def value(text: str) -> object:
    documents, errors = read_yaml(f"x: {text}\n", "f.yaml")
    assert not errors, errors
    tree = documents[0].tree
    assert isinstance(tree, dict)
    return tree["x"]


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "off",
        "yes",
        "no",
        "y",
        "000001",
        "0x1F",
        "0o17",
        "2021-01-04",
        "1:30",
        ".inf",
        ".nan",
        "1.2.3",
        "600519.SH",
        "12_",
        "10%",
        "1e5000",
        "=n",
    ],
)
def test_words_that_yaml_1_1_would_convert_stay_text(text: str) -> None:
    assert value(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("-7", -7),
        ("10_000_000", 10_000_000),
        ("0", 0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("0.1", Decimal("0.1")),
        ("1_000.50", Decimal("1000.50")),
        ("2e7", Decimal("2e7")),
        (".5", Decimal("0.5")),
        ("'1'", "1"),
        ('"true"', "true"),
    ],
)
def test_plain_scalars_become_exact_values(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_keys_values_and_texts_have_places() -> None:
    text = "a: 1\nb:\n  - c: two\n    d: 'three'\n  - |\n    first\n    second\n"
    marks = read_yaml(text, "f.yaml")[0][0].marks
    assert marks.key(("b", 0, "d")) == Location("f.yaml", 4, 5)
    assert marks.value(("b", 0, "d")) == Location("f.yaml", 4, 8)
    assert marks.text(("b", 0, "d")) == Location("f.yaml", 4, 9)
    assert marks.text(("b", 1)) == Location("f.yaml", 6, 5)
    assert marks.value(("b", 0, "nothing", "there")) == marks.key(("b", 0))


def test_several_documents_keep_their_own_places() -> None:
    documents, errors = read_yaml("a: 1\n---\n# note\na: 2\n---\n", "f.yaml")
    assert not errors
    assert [d.tree for d in documents] == [{"a": 1}, {"a": 2}]
    assert documents[1].marks.key(("a",)).line == 4


def test_every_forbidden_thing_of_a_file_is_reported() -> None:
    _, errors = read_yaml("a: &x 1\nb: *x\nc: !!str 1\n<<: {d: 1}\na: 2\n", "f.yaml")
    assert [e.fault.where.line for e in errors if e.fault.where] == [1, 2, 3, 4, 5]
    assert {e.fault.code for e in errors} == {"spec.forbidden", "spec.duplicate"}
