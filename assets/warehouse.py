"""What assets work on: the warehouse of one workspace, handed in as a resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from quant.assets.declared import DeclaredTable
from quant.core.errors import QuantError
from quant.warehouse.audit import CheckResult, TableRule
from quant.warehouse.coverage import Interval
from quant.warehouse.lake import Lake
from quant.warehouse.scope import Scope
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sync import Agreement, IngestReport, Item, plan_sync


class Observer(Protocol):
    """Is told what a run does, in the run's own process."""

    def begun(self, item: Item, /) -> None: ...
    def stored(self, report: IngestReport, /) -> None: ...
    def failed(self, table: str, error: QuantError, /) -> None: ...
    def checked(self, table: str, rule: TableRule, result: CheckResult, /) -> None: ...


class Unobserved:
    """Tells nobody: for runs that Dagster itself launched."""

    def begun(self, _item: Item) -> None:
        return None

    def stored(self, _report: IngestReport) -> None:
        return None

    def failed(self, _table: str, _error: QuantError) -> None:
        return None

    def checked(self, _table: str, _rule: TableRule, _result: CheckResult) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The lake, the sources behind it, and who writes to it.

    ``span`` says which dates a sync covers now, by market. ``planned`` holds the items of a sync by table;
    without it a run plans the interval of its own partitions. ``commit`` is the git commit of the specs.
    """

    lake: Lake
    sources: Mapping[str, SourceSettings]
    span: Callable[[], Scope]
    actor: Mapping[str, str]
    commit: str | None = None
    planned: Mapping[str, tuple[Item, ...]] | None = None
    observer: Observer = field(default_factory=Unobserved)

    def items(
        self, table: DeclaredTable, wanted: Interval, chosen: set[str], *, golden: bool, restate: bool
    ) -> tuple[Item, ...]:
        """What a run stores: the planned items, else the interval of ``table`` from the ``chosen`` sources.

        With ``restate`` the interval is fetched again even if it is stored, however far back it lies.
        ``golden``: whether the golden table is brought up to date too.
        """
        if self.planned is not None:
            return tuple(i for i in self.planned.get(table.name, ()) if i.label in chosen or i.golden)
        scope = self.span()
        plan = plan_sync(
            [table.settings],
            self.sources,
            self.lake,
            wanted.start,
            wanted.end,
            restate=restate,
            scope=scope.whole() if restate else scope,
        )
        mine = [item for item in plan.items if item.table.name == table.name]
        return tuple(_as_chosen(mine, table.settings.prefer, chosen, golden=golden))


def _as_chosen(items: list[Item], preferred: str, chosen: set[str], *, golden: bool) -> list[Item]:
    """Items cut down to what was asked for: stored rows alone can be taken into the golden table."""
    found: list[Item] = []
    for item in items:
        if isinstance(item, Agreement):
            found += [item] if golden else []
            continue
        takes = golden and item.source.name == preferred and not item.table.agreed
        if item.source.name in chosen:
            found.append(replace(item, golden=takes))
        elif takes:
            found.append(replace(item, fetch=False, golden=True))
    return found
