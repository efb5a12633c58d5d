"""``quant plan``: what a change of specs, code or data makes stale, before anything is spent on it.

Nothing is fetched and nothing is written. A run is stale when executing its spec now would not be the same
run: another meaning, kernel, rulebook or code, or other rows inside its own range. Rows that were added after
its range do not touch it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from quant.core.errors import QuantError
from quant.pipelines.flows.replay import code_differences, program_differences, spec_differences

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.specs.compile.plan import BacktestPlan, PinnedTable
    from quant.warehouse.contracts.tables import TableContract
    from quant.warehouse.lake import Lake
    from quant.warehouse.sync import Item

MISSING: Final = "never fetched"
CHANGED: Final = "its source, spec or files changed"
UNAGREED: Final = "stored, not yet in the golden table"


@dataclass(frozen=True, slots=True)
class StaleAsset:
    """An interval of a table that a sync would store. ``rows`` are stored now and would be written again."""

    table: str
    source: str
    start: str
    end: str
    reason: str
    rows: int
    calls: int


@dataclass(frozen=True, slots=True)
class StaleFactor:
    """A factor some of whose inputs will change."""

    factor: str
    reason: str


@dataclass(frozen=True, slots=True)
class StaleRun:
    """The newest run of a spec that executing it now would not repeat. ``rows`` changed in its range."""

    run: str
    name: str
    reasons: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Everything that is stale."""

    assets: tuple[StaleAsset, ...]
    factors: tuple[StaleFactor, ...]
    runs: tuple[StaleRun, ...]
    deployments: tuple[StaleRun, ...]

    @property
    def pending(self) -> bool:
        return bool(self.assets or self.factors or self.runs or self.deployments)

    @property
    def rows(self) -> int:
        """Stored rows that a sync would write again."""
        return sum(asset.rows for asset in self.assets)

    @property
    def calls(self) -> int:
        """Questions that a sync would put to vendors."""
        return sum(asset.calls for asset in self.assets)

    def as_dict(self) -> dict[str, Any]:
        lists = {name: getattr(self, name) for name in ("assets", "factors", "runs", "deployments")}
        return {
            "pending": self.pending,
            "rows": self.rows,
            "calls": self.calls,
            **{name: [asdict(entry) for entry in entries] for name, entries in lists.items()},
        }


def blast_radius(desk: Workspace) -> BlastRadius:
    """What is stale in a workspace under its profile."""
    from quant.pipelines.flows import sync
    from quant.pipelines.flows.preview import preview
    from quant.pipelines.sources import data_specs
    from quant.warehouse.lake import Lake

    lake, specs = Lake(desk.lake), data_specs(desk)
    request = sync.SyncRequest()
    items = sync.plan_sync(desk, request, specs, lake=lake).items
    calls = {(p.dataset, p.source, p.start, p.end): p.calls for p in preview(desk, request).items}
    assets = tuple(_assets(items, lake, calls))
    changing = _changing(assets)
    return BlastRadius(
        assets=assets,
        factors=tuple(_factors(desk, changing)),
        runs=tuple(_runs(desk, lake, changing)),
        deployments=tuple(_deployments(desk, lake, changing)),
    )


def _assets(
    items: Sequence[Item], lake: Lake, calls: Mapping[tuple[str, str, str, str], int]
) -> Iterator[StaleAsset]:
    log = lake.read("sync_log").filter(pl.col("status") == "ok")
    for item in items:
        start, end = item.start.isoformat(), item.end.isoformat()
        yield StaleAsset(
            item.table.name,
            item.label,
            start,
            end,
            _why(item, log),
            _stored(item, lake),
            calls.get((item.table.name, item.label, start, end), 0),
        )


def _why(item: Item, log: pl.DataFrame) -> str:
    if not item.fetch:
        return UNAGREED
    before = log.filter(
        (pl.col("table") == item.table.name)
        & (pl.col("source") == item.label)
        & (pl.col("start") <= item.end)
        & (pl.col("end") >= item.start)
    )
    return CHANGED if before.height else MISSING


def _stored(item: Item, lake: Lake) -> int:
    from quant.warehouse.contracts.tables import contract
    from quant.warehouse.sync import Agreement

    timed = contract(item.table.dataset).time is not None
    source = None if isinstance(item, Agreement) else item.label
    return lake.read(
        item.table.dataset,
        source=source,
        start=item.start if timed else None,
        end=item.end if timed else None,
        columns=["source"],
    ).height


def _changing(assets: Iterable[StaleAsset]) -> dict[str, list[StaleAsset]]:
    """Stored tables whose rows a sync may change, with where; what was never fetched changes none."""
    found: dict[str, list[StaleAsset]] = {}
    for asset in assets:
        if asset.reason != MISSING:
            found.setdefault(asset.table, []).append(asset)
    return found


def _factors(desk: Workspace, changing: Mapping[str, list[StaleAsset]]) -> Iterator[StaleFactor]:
    """Factors that read a changing table."""
    from quant.pipelines.flows.factor import workspace_factors

    for factor in workspace_factors(desk) if changing else ():
        touched = [table for table in factor.tables if table in changing]
        if touched:
            yield StaleFactor(factor.name, "reads " + ", ".join(touched))


def _runs(desk: Workspace, lake: Lake, changing: Mapping[str, list[StaleAsset]]) -> Iterator[StaleRun]:
    """The newest run of each backtest."""
    newest: dict[str, Path] = {}
    folders = sorted(desk.runs.glob("*/plan.json")) if desk.runs.is_dir() else []
    for path in folders:
        if not path.parent.name.startswith("."):
            plan = _plan(path)
            if plan is not None and plan.mode == "backtest":
                newest[plan.name] = path.parent
    for name, folder in sorted(newest.items()):
        yield from _judged(desk, lake, folder, name, changing)


def _deployments(desk: Workspace, lake: Lake, changing: Mapping[str, list[StaleAsset]]) -> Iterator[StaleRun]:
    """Every session of a deployment, under way or finished."""
    for path in sorted(desk.sessions.glob("*/plan.json")) if desk.sessions.is_dir() else []:
        yield from _judged(desk, lake, path.parent, path.parent.name, changing)


def _judged(
    desk: Workspace, lake: Lake, folder: Path, name: str, changing: Mapping[str, list[StaleAsset]]
) -> Iterator[StaleRun]:
    from quant.pipelines.flows.runs import read_part

    plan = _plan(folder / "plan.json")
    if plan is None:
        return
    overrides = []
    if (folder / "receipt.json").is_file():
        overrides = list(read_part(folder, "receipt.json").get("overrides", []))
    stated = {
        "mode": plan.mode,
        "name": plan.name,
        "overrides": overrides,
        "spec_fingerprint": plan.spec_fingerprint,
        "kernel_hash": plan.kernel_hash,
        "rulebook_hash": plan.rulebook_hash,
    }
    differences = [*spec_differences(desk, stated), *program_differences(stated)]
    differences += code_differences(desk, plan)
    reasons = [f"{d.part}: {d.recorded} -> {d.now}" for d in differences]
    rows = 0
    for table in plan.tables:
        count = _changed_rows(lake, plan, table)
        if count:
            rows += count
            reasons.append(f"{table.name}: {count:,} rows of its range changed since version {table.version}")
        if _overlaps(plan, changing.get(table.name, ())):
            reasons.append(f"{table.name}: will be fetched or agreed again")
    if reasons:
        yield StaleRun(folder.name, name, tuple(reasons), rows)


def _changed_rows(lake: Lake, plan: BacktestPlan, table: PinnedTable) -> int:
    """Rows in the plan's range that the newest version says otherwise, has lost, or has gained."""
    from quant.warehouse.contracts.tables import contract

    latest = lake.version(table.name)
    if latest is None or latest == table.version:
        return 0
    if lake.content_hash(table.name, latest, as_of=plan.knowledge_time) == table.content_hash:
        return 0
    target = contract(table.name)
    start, end = (_first(plan), date.fromisoformat(plan.end)) if target.time else (None, None)
    before, after = (
        lake.read(
            table.name,
            version=version,
            start=start,
            end=end,
            columns=target.content,
            as_of=plan.knowledge_time,
        )
        for version in (table.version, latest)
    )
    if target.time is None:
        before, after = (_until(rows, target, date.fromisoformat(plan.end)) for rows in (before, after))
    said = before.columns
    lost = before.join(after, on=said, how="anti", nulls_equal=True).select(target.key)
    gained = after.join(before, on=said, how="anti", nulls_equal=True).select(target.key)
    return pl.concat([lost, gained]).unique().height


def _until(rows: pl.DataFrame, target: TableContract, end: date) -> pl.DataFrame:
    """Rows of a table without intervals as far as they are about the time up to ``end``: what begins later is
    left out, an end that lies later is none, and a later name is the same instrument.
    """
    begins = [name for name in ("from_session", "list_date") if name in rows.columns]
    kept = rows.filter(pl.all_horizontal((pl.col(n) <= end).fill_null(value=True) for n in begins))
    dated = [n for n, t in rows.schema.items() if t == pl.Date and n not in target.key]
    later = [pl.when(pl.col(n) <= end).then(pl.col(n)).alias(n) for n in dated]
    return kept.with_columns(later).drop("known_at", "name", strict=False)


def _first(plan: BacktestPlan) -> date:
    from quant.core.market.calendar import calendar

    dates, start = calendar(plan.calendar), date.fromisoformat(plan.start)
    return dates.offset(start, -plan.lookback) if plan.lookback else start


def _overlaps(plan: BacktestPlan, assets: Iterable[StaleAsset]) -> bool:
    first = _first(plan).isoformat()
    return any(asset.start <= plan.end and asset.end >= first for asset in assets)


def _plan(path: Path) -> BacktestPlan | None:
    """A stored plan; None where this version cannot read it."""
    from quant.specs.compile.plan import BacktestPlan

    try:
        return BacktestPlan.from_json(path.read_bytes())
    except (QuantError, OSError):
        return None
