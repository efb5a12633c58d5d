"""One document of a spec file: a plain tree and the place of every key and value in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from quant.core.errors import Location

Scalar: TypeAlias = "str | int | bool | Decimal | None"
Tree: TypeAlias = "Scalar | list[Tree] | dict[str, Tree]"
Path: TypeAlias = "tuple[str | int, ...]"

API_VERSION = "quant/v1"
HEADER = ("apiVersion", "kind", "name", "description")


@dataclass(slots=True)
class Marks:
    """Where each path of a tree stands: its key, its value, and the first character of its text.

    Lines and columns count from 1. ``overrides`` holds places that are no file, such as an override given
    on the command line; the longest known prefix of a path answers for it.
    """

    file: str
    start: Location
    keys: dict[Path, Location] = field(default_factory=dict)
    values: dict[Path, Location] = field(default_factory=dict)
    texts: dict[Path, Location] = field(default_factory=dict)

    def key(self, path: Path) -> Location:
        return self._longest(path, self.keys)

    def value(self, path: Path) -> Location:
        if path in self.values:
            return self.values[path]
        return self._longest(path, self.keys)

    def text(self, path: Path) -> Location:
        """The place of the first character of a string value; inside a block scalar its first line."""
        return self.texts.get(path) or self.value(path)

    def _longest(self, path: Path, table: Mapping[Path, Location]) -> Location:
        for length in range(len(path), 0, -1):
            found = table.get(path[:length])
            if found is not None:
                return found
        return self.start

    def overlay(self, other: Marks, prefix: Path = ()) -> None:
        """Take the places of ``other``, whose tree was merged at ``prefix``."""
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values), (self.texts, other.texts)):
            mine.update({prefix + path: place for path, place in theirs.items()})
        if prefix:
            self.keys.setdefault(prefix, other.start)

    def below(self, prefix: Path, start: Location) -> Marks:
        """The marks of the subtree at ``prefix`` as a tree of its own."""
        cut = len(prefix)
        part = Marks(start.file, start)
        for mine, theirs in ((part.keys, self.keys), (part.values, self.values), (part.texts, self.texts)):
            mine.update(
                {
                    path[cut:]: place
                    for path, place in theirs.items()
                    if len(path) > cut and path[:cut] == prefix
                }
            )
        return part


@dataclass(frozen=True, slots=True)
class Document:
    """A document as read, registered under ``kind/name``; ``origin`` is "workspace" or "library"."""

    kind: str
    name: str
    tree: dict[str, Tree]
    marks: Marks
    origin: str = "workspace"

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def defaults(self) -> list[Tree]:
        """The ``defaults:`` list, empty when there is none; only a list gets past the loader."""
        found = self.tree.get("defaults")
        return found if isinstance(found, list) else []


def walk(tree: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    """Every path of a tree with its value, parents first."""
    yield path, tree
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from walk(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from walk(value, (*path, index))
