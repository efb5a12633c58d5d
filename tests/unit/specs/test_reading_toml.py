"""TOML documents have the same values and places as YAML ones."""

from __future__ import annotations

from decimal import Decimal

from quant.core.errors import Location
from quant.specs.read_toml import read_toml

TEXT = '''\
# a comment = 1
a = 0.1
day = 2021-01-04
list = [
  1, # ] a bracket in a comment
  "]",
]
"quoted key" = "x"
text = """
first = 1
"""
[table.inner]
b.c = 1_000
[[rows]]
n = 1
[[rows]]
n = 2
'''


def test_values_are_exact_and_plain() -> None:
    documents, errors = read_toml(TEXT, "f.toml")
    assert not errors
    assert documents[0].tree == {
        "a": Decimal("0.1"),
        "day": "2021-01-04",
        "list": [1, "]"],
        "quoted key": "x",
        "text": "first = 1\n",
        "table": {"inner": {"b": {"c": 1000}}},
        "rows": [{"n": 1}, {"n": 2}],
    }


def test_keys_have_places_and_text_inside_values_has_none() -> None:
    marks = read_toml(TEXT, "f.toml")[0][0].marks
    assert marks.key(("a",)) == Location("f.toml", 2, 1)
    assert marks.value(("a",)) == Location("f.toml", 2, 5)
    assert marks.key(("quoted key",)).line == 8
    assert marks.text(("text",)) == Location("f.toml", 10, 1)
    assert marks.key(("table", "inner", "b", "c")).line == 13
    assert marks.key(("rows", 1, "n")).line == 17
    assert ("first",) not in marks.keys


def test_an_array_of_documents_is_several_documents() -> None:
    text = '[[documents]]\nname = "a"\n[[documents]]\nname = "b"\n[documents.params]\nn = 1\n'
    first, second = read_toml(text, "f.toml")[0]
    assert (first.tree, second.tree) == ({"name": "a"}, {"name": "b", "params": {"n": 1}})
    assert first.marks.start.line == 1
    assert second.marks.start.line == 3
    assert second.marks.key(("params", "n")).line == 6
