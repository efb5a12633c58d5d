"""TOML files with places: values by ``tomllib``, places by a line scanner that knows tables and keys.

Several documents stand in one file as ``[[documents]]``; otherwise the file is one document.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from decimal import Decimal, InvalidOperation
from typing import Any

from quant.core.errors import Location, SpecError
from quant.specs.document import Marks, Path, Tree, walk
from quant.specs.read_yaml import MAX_DEPTH, MAX_DIGITS, MAX_NODES, RawDocument

_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEYS = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=\s*")
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]\]?")


def read_toml(text: str, file: str) -> tuple[list[RawDocument], list[SpecError]]:
    """The documents of a TOML file and its faults."""
    try:
        loaded = tomllib.loads(text, parse_float=_decimal)
        tree = _plain(loaded, 0)
    except tomllib.TOMLDecodeError as error:
        found = _AT.search(str(error))
        where = (
            Location(file, int(found[1]), int(found[2])) if found else Location(file, text.count("\n") + 1, 1)
        )
        message = _AT.sub("", str(error)).strip()
        return [], [SpecError("spec.syntax", f"TOML syntax: {message}", where=where, expected="TOML")]
    except (RecursionError, ValueError, InvalidOperation) as error:
        return [], [
            SpecError(
                "spec.limit",
                f"not readable as TOML: {_short(error)}",
                where=Location(file, 1, 1),
                expected=f"at most {MAX_DEPTH} levels and {MAX_DIGITS} digits",
            )
        ]
    if sum(1 for _ in walk(tree)) > MAX_NODES:
        return [], [
            SpecError(
                "spec.limit",
                "the file holds too many values",
                where=Location(file, 1, 1),
                expected=f"at most {MAX_NODES} values",
            )
        ]
    marks = _scan(text, file)
    return _split(tree, marks), []


def _short(error: BaseException) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_DIGITS + 8:
        raise ValueError("a number with too many digits")
    return Decimal(text.replace("_", ""))


def _plain(value: Any, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise RecursionError
    match value:
        case dict():
            return {str(k): _plain(v, depth + 1) for k, v in value.items()}
        case list():
            return [_plain(v, depth + 1) for v in value]
        case int() if abs(value) >= 10**MAX_DIGITS:
            raise ValueError("a number with too many digits")
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case str() | bool() | int() | Decimal():
            return value
        case _:
            raise ValueError(f"a value of type {type(value).__name__}")


def _split(tree: Tree, marks: Marks) -> list[RawDocument]:
    documents = tree.get("documents") if isinstance(tree, dict) else None
    if not isinstance(tree, dict) or set(tree) != {"documents"} or not isinstance(documents, list):
        return [RawDocument(tree, marks)]
    parts = []
    for index, part in enumerate(documents):
        start = marks.key(("documents", index))
        parts.append(RawDocument(part, marks.below(("documents", index), start)))
    return parts


def _names(dotted: str) -> tuple[str, ...]:
    parts = re.findall(_PART, dotted)
    return tuple(p[1:-1] if p[0] in "\"'" else p for p in parts)


def _scan(text: str, file: str) -> Marks:
    """Places of keys and tables; keys inside an inline table answer with their parent's place."""
    marks = Marks(file, Location(file, 1, 1))
    prefix: Path = ()
    counts: dict[Path, int] = {}
    inside = _Inside()
    for number, line in enumerate(text.split("\n"), start=1):
        if inside.busy:
            inside.take(line)
            continue
        header = _HEADER.match(line)
        if header:
            prefix = _table(header, counts)
            column = len(line) - len(line.lstrip()) + 1
            for length in range(1, len(prefix) + 1):
                marks.keys.setdefault(prefix[:length], Location(file, number, column))
            continue
        found = _KEYS.match(line)
        if not found:
            continue
        path: Path = (*prefix, *_names(found[1]))
        place = Location(file, number, found.start(1) + 1)
        for length in range(len(prefix) + 1, len(path) + 1):
            marks.keys.setdefault(path[:length], place)
        marks.values.setdefault(path, Location(file, number, found.end() + 1))
        marks.texts.setdefault(path, _text_start(line, found.end(), file, number))
        inside.take(line[found.end() :])
    return marks


def _text_start(line: str, at: int, file: str, number: int) -> Location:
    for quote in ('"""', "'''"):
        if line.startswith(quote, at):
            rest = line[at + 3 :]
            return Location(file, number, at + 4) if rest.strip() else Location(file, number + 1, 1)
    return Location(file, number, at + 2)


def _table(header: re.Match[str], counts: dict[Path, int]) -> Path:
    """The path of a ``[table]`` or ``[[array]]`` header, with the indices of the arrays it stands in."""
    path: Path = ()
    names = _names(header[2])
    for position, name in enumerate(names):
        path = (*path, name)
        last = position == len(names) - 1
        if last and header[1] == "[[":
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


class _Inside:
    """Whether the scanner stands inside a value that goes on over several lines."""

    def __init__(self) -> None:
        self.quote = ""
        self.brackets = 0

    @property
    def busy(self) -> bool:
        return bool(self.quote) or self.brackets > 0

    def take(self, line: str) -> None:
        at = 0
        while at < len(line):
            if self.quote:
                end = line.find(self.quote, at)
                if end < 0:
                    return
                at, self.quote = end + 3, ""
                continue
            character = line[at]
            if character == "#":
                return
            if line.startswith(('"""', "'''"), at):
                self.quote = line[at : at + 3]
                at += 3
            elif character in "\"'":
                at = _string_end(line, at)
            else:
                self.brackets += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
                at += 1


def _string_end(line: str, at: int) -> int:
    quote = line[at]
    at += 1
    while at < len(line) and line[at] != quote:
        at += 2 if line[at] == "\\" and quote == '"' else 1
    return at + 1
