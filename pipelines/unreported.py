"""Tables whose sync was begun and not yet reported to Dagster: what a killed sync leaves to the next one.

The lake knows by itself what is stored. Without this note the years that a killed sync had stored already
would never be shown as materialised, and their checks would never run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quant.warehouse.files import write_atomic

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace

Span = tuple[int, int]
"""First and last year, both inclusive."""


@dataclass(frozen=True, slots=True)
class Unreported:
    """The note of one workspace. Only the holder of the writer lock may change it."""

    file: Path

    @classmethod
    def of(cls, desk: Workspace) -> Unreported:
        return cls(desk.state / "unreported.json")

    def read(self) -> dict[str, Span]:
        """Years by table; a note that cannot be read counts as none."""
        try:
            known = json.loads(self.file.read_text(encoding="utf-8"))
            return {str(table): (int(first), int(last)) for table, (first, last) in known.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def write(self, tables: Mapping[str, Span]) -> None:
        """Replace the note; no tables, no note."""
        if tables:
            write_atomic(self.file, json.dumps(dict(tables)).encode())
        else:
            self.file.unlink(missing_ok=True)

    def remove(self, table: str) -> None:
        """A table has been reported."""
        self.write({name: span for name, span in self.read().items() if name != table})


def joined(a: Span, b: Span | None) -> Span:
    """The years from the first to the last of both."""
    return a if b is None else (min(a[0], b[0]), max(a[1], b[1]))
