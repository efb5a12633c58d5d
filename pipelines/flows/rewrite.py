"""``quant data restate``: fetch an interval again, and say cell by cell what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from quant.pipelines.flows.sync import Progress, SyncOutcome, SyncRequest, sync
from quant.pipelines.sources import data_specs

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake

DECISIONS: Final = "quant.pipelines.flows.restate"


@dataclass(frozen=True, slots=True)
class Restated:
    """What a restatement changed in the golden table. ``changes`` has a row a changed cell: table,
    instrument_id, code, day, key, field, before, after; a row that came or went is one change of the field
    ``row``. ``affected`` are past decisions that would have been others.
    """

    outcome: SyncOutcome
    before: int | None
    after: int | None
    changes: pl.DataFrame
    affected: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.outcome.as_dict(),
            "before": self.before,
            "after": self.after,
            "changes": self.changes.to_dicts(),
            "affected": self.affected,
        }


def restate(desk: Workspace, request: SyncRequest, *, progress: Progress | None = None) -> Restated:
    """Fetch one table's interval again, rewrite what is stored of it, and compare."""
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    (settings,) = data_specs(desk).pick(request.tables)
    before = lake.version(settings.name)
    outcome = sync(desk, request, progress=progress)
    after = lake.version(settings.name)
    changes = _changes(lake, settings.name, before, after)
    return Restated(outcome, before, after, changes, _affected(desk, changes))


def _changes(lake: Lake, table: str, before: int | None, after: int | None) -> pl.DataFrame:
    from quant.warehouse.restate import CHANGES, changed_cells

    found = CHANGES.to_frame()
    if before is not None and after is not None:
        found = changed_cells(lake, table, before, after)
    codes = lake.read("instruments", columns=["instrument_id", "code"])
    coded = found.join(codes, on="instrument_id", how="left", maintain_order="left")
    return coded.select("table", "instrument_id", "code", *list(CHANGES)[2:])


def _affected(desk: Workspace, changes: pl.DataFrame) -> list[dict[str, Any]]:
    """Past runs and paper orders that would be others with the changes."""
    if not changes.height or find_spec(DECISIONS) is None:
        return []
    find: Callable[..., Any] = import_module(DECISIONS).affected_decisions
    return [each if isinstance(each, dict) else each.as_dict() for each in find(desk, changes)]
