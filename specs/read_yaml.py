"""A YAML 1.2 reader with places: core schema, plain data only.

The characters are split into events by libyaml; what the events mean is decided here. ``on`` and ``yes`` are
strings, ``000001`` is a string, a number with a point is a ``Decimal``, a date stays a string. Anchors,
aliases, tags, merge keys and directives are refused before anything is built from them, so a document can
never be larger than its file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from quant.core.errors import Location, SpecError
from quant.specs.document import Marks, Path, Scalar, Tree

MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_DOCUMENTS = 500
MAX_DIGITS = 40

_PARSER: Any = getattr(yaml, "CSafeLoader", None) or yaml.SafeLoader
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9](_?[0-9])*)")
_DECIMAL = re.compile(r"[-+]?((0|[1-9](_?[0-9])*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")


@dataclass(slots=True)
class RawDocument:
    """A document before it is known to have a kind and a name."""

    tree: Tree
    marks: Marks


@dataclass(slots=True)
class _Frame:
    """A mapping or list under construction."""

    node: dict[str, Tree] | list[Tree]
    path: Path
    pending: str | None = None
    discard: bool = False


class _Stop(Exception):
    """The rest of the file cannot be read."""


@dataclass(slots=True)
class _Composer:
    file: str
    text: str
    errors: list[SpecError] = field(default_factory=list)
    documents: list[RawDocument] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)
    marks: Marks | None = None
    root: Tree = None
    nodes: int = 0

    def place(self, mark: Any) -> Location:
        return Location(self.file, mark.line + 1, mark.column + 1)

    def fail(self, code: str, message: str, where: Location, **rest: str | None) -> None:
        self.errors.append(SpecError(code, message, where=where, **rest))

    def feed(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._open_document(event)
            case yaml.DocumentEndEvent():
                if self.marks is not None:
                    self.documents.append(RawDocument(self.root, self.marks))
            case yaml.AliasEvent():
                self._forbid(event, "alias", f"*{event.anchor}")
                self._put(None, event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case _:
                pass

    def _open_document(self, event: Any) -> None:
        if len(self.documents) >= MAX_DOCUMENTS:
            self.fail(
                "spec.limit",
                "too many documents in one file",
                self.place(event.start_mark),
                expected=f"at most {MAX_DOCUMENTS} documents",
            )
            raise _Stop
        if event.version or event.tags:
            self.fail(
                "spec.forbidden",
                "YAML directives are not allowed",
                self.place(event.start_mark),
                expected="a document without % directives",
            )
        self.root = None
        self.marks = Marks(self.file, self.place(event.start_mark))

    def _forbid(self, event: Any, what: str, found: str) -> None:
        self.fail(
            "spec.forbidden",
            f"a YAML {what} is not allowed",
            self.place(event.start_mark),
            expected="plain data",
            found=found,
            hint="write the value out where it is needed",
        )

    def _check_node(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.fail(
                "spec.limit",
                "the file holds too many values",
                self.place(event.start_mark),
                expected=f"at most {MAX_NODES} values",
            )
            raise _Stop
        if event.anchor is not None:
            self._forbid(event, "anchor", f"&{event.anchor}")
        if event.tag is not None:
            self._forbid(event, "tag", str(event.tag))

    def _scalar(self, event: Any) -> None:
        self._check_node(event)
        plain = event.style is None or event.style == ""
        frame = self.stack[-1] if self.stack else None
        if frame is not None and isinstance(frame.node, dict) and frame.pending is None:
            self._key(frame, event, plain)
            return
        where = self.place(event.start_mark)
        value: Scalar = event.value
        if plain:
            value = self._resolve(event.value, where)
        elif self.marks is not None and frame is not None:
            self.marks.texts[self._path(frame)] = self._text_start(event)
        self._put(value, event)

    def _text_start(self, event: Any) -> Location:
        mark = event.start_mark
        if event.style in ("|", ">"):
            lines = self.text.split("\n")
            number = mark.line + 1
            while number < len(lines) and not lines[number].strip():
                number += 1
            line = lines[number] if number < len(lines) else ""
            return Location(self.file, number + 1, len(line) - len(line.lstrip(" ")) + 1)
        return Location(self.file, mark.line + 1, mark.column + 2)

    def _key(self, frame: _Frame, event: Any, plain: bool) -> None:
        key, where = event.value, self.place(event.start_mark)
        if plain and key == "<<":
            self._forbid(event, "merge key", "<<")
        assert isinstance(frame.node, dict)
        path = (*frame.path, key)
        if key in frame.node and not frame.discard:
            first = self.marks.keys.get(path) if self.marks else None
            self.fail(
                "spec.duplicate",
                f"the key {key!r} is given twice",
                where,
                found=key,
                hint=f"the first stands at {first}" if first else None,
            )
        elif self.marks is not None and not frame.discard:
            self.marks.keys[path] = where
        frame.pending = key

    def _open(self, event: Any, node: dict[str, Tree] | list[Tree]) -> None:
        self._check_node(event)
        where = self.place(event.start_mark)
        if len(self.stack) >= MAX_DEPTH:
            self.fail("spec.limit", "nested too deeply", where, expected=f"at most {MAX_DEPTH} levels")
            raise _Stop
        frame = self.stack[-1] if self.stack else None
        if frame is not None and isinstance(frame.node, dict) and frame.pending is None:
            self.fail("spec.type", "a key must be a word, not a list or mapping", where, expected="a word")
            self.stack.append(_Frame(node, (), discard=True))
            return
        path = self._path(frame) if frame is not None else ()
        self._put(node, event)
        self.stack.append(_Frame(node, path, discard=frame.discard if frame else False))

    def _close(self) -> None:
        closed = self.stack.pop()
        frame = self.stack[-1] if self.stack else None
        was_key = frame is not None and isinstance(frame.node, dict) and frame.pending is None
        if closed.discard and was_key and frame is not None and not closed.path:
            frame.pending = "?"

    @staticmethod
    def _path(frame: _Frame) -> Path:
        if isinstance(frame.node, list):
            return (*frame.path, len(frame.node))
        return (*frame.path, frame.pending or "")

    def _put(self, value: Tree, event: Any) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        path = self._path(frame)
        where = self.place(event.start_mark)
        if isinstance(frame.node, list):
            frame.node.append(value)
        elif frame.pending is None:
            frame.pending = "?"
            return
        else:
            frame.node.setdefault(frame.pending, value)
            frame.pending = None
        if self.marks is not None and not frame.discard:
            self.marks.values.setdefault(path, where)
            if isinstance(frame.node, list):
                self.marks.keys.setdefault(path, where)

    def _resolve(self, text: str, where: Location) -> Scalar:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text) or _DECIMAL.fullmatch(text):
            if sum(character.isdigit() for character in text) > MAX_DIGITS:
                self.fail(
                    "spec.limit",
                    "a number with too many digits",
                    where,
                    expected=f"at most {MAX_DIGITS} digits",
                    found=f"{text[:20]}…",
                )
                return 0
            digits = text.replace("_", "")
            return int(digits) if _INT.fullmatch(text) else Decimal(digits)
        return text


def read_yaml(text: str, file: str) -> tuple[list[RawDocument], list[SpecError]]:
    """The documents of a YAML file and its faults; empty documents are left out."""
    composer = _Composer(file, text)
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            composer.feed(event)
    except _Stop:
        pass
    except yaml.YAMLError as error:
        composer.errors.append(_syntax(error, file, text))
    except (RecursionError, ValueError, OverflowError) as error:
        composer.fail("spec.syntax", f"not readable as YAML: {error}", Location(file, 1, 1))
    kept = [d for d in composer.documents if d.tree is not None]
    return kept, composer.errors


def _syntax(error: yaml.YAMLError, file: str, text: str) -> SpecError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        where = Location(file, mark.line + 1, mark.column + 1)
    else:
        position = min(int(getattr(error, "position", 0) or 0), len(text))
        before = text[:position]
        where = Location(file, before.count("\n") + 1, position - before.rfind("\n"))
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not readable as YAML"
    hint = "indent with spaces, not tabs" if "'\\t'" in str(problem) else None
    return SpecError("spec.syntax", f"YAML syntax: {problem}", where=where, expected="YAML", hint=hint)
