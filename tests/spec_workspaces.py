"""Small workspaces for the tests of the spec language."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from quant.core.errors import SpecError, SpecErrors
from quant.specs import Registry, load_workspace
from quant.specs.compile import Column, TableState

STRATEGY = """\
apiVersion: quant/v1
kind: strategy
name: top
signal: momentum_20
construct: {method: equal, top: 30, cash_buffer: 2%}
rebalance: {every: month, on: last}
"""
BACKTEST = """\
apiVersion: quant/v1
kind: backtest
name: run
use: {strategy: top, universe: all_listed}
range: [2021-01-04, 2021-12-31]
cash: 10_000_000
params: {n: strategy.construct.top}
"""


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Spec files below ``root/specs``; a name with a slash or quant.toml is taken from the root."""
    for name, content in files.items():
        path = root / name if "/" in name or name == "quant.toml" else root / "specs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def load(root: Path, **files: str | bytes) -> Registry:
    """A workspace of YAML files given by name."""
    return load_workspace(write(root, {f"{name}.yaml": text for name, text in files.items()}))


def faults(error: SpecError | SpecErrors) -> list[SpecError]:
    return list(error.errors) if isinstance(error, SpecErrors) else [error]


class FullCatalog:
    """A catalog in which every table is there, from ``start`` to ``end``."""

    def __init__(
        self,
        start: date = date(2019, 1, 2),
        end: date = date(2025, 12, 31),
        version: int = 3,
        missing: tuple[str, ...] = (),
        facts: dict[str, str] | None = None,
    ) -> None:
        self.start, self.end, self.version, self.missing = start, end, version, missing
        self.facts = facts or {}

    def table(self, name: str, as_of: datetime | None = None) -> TableState | None:
        if name in self.missing:
            return None
        return TableState(
            name,
            self.version,
            f"{name}-content",
            self.start,
            self.end,
            (Column("close", "decimal", "close"),),
            self.facts,
        )
