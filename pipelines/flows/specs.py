"""``quant spec``: lint, show, schema, diff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.errors import UsageError

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.specs import Change, Warning_


@dataclass(frozen=True, slots=True)
class LintReport:
    files: int
    documents: int
    warnings: tuple[Warning_, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "documents": self.documents,
            "ok": True,
            "warnings": [w.as_dict() for w in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class ShownSpec:
    text: str
    body: dict[str, Any]
