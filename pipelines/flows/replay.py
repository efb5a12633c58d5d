"""``quant run replay``: run a receipt again and say whether anything differs, and what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from quant.core.errors import QuantError
from quant.pipelines.flows.backtest import execute, load, resolve_spec
from quant.pipelines.flows.runs import find_run, read_part

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from quant.pipelines.workspace import Workspace
    from quant.specs.compile.plan import BacktestPlan, PinnedTable
    from quant.warehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of the receipt that is not what it was."""

    part: str
    recorded: str
    now: str


@dataclass(frozen=True, slots=True)
class ReplayVerdict:
    """``same`` means the state hash of every session was reproduced; differences are told either way."""

    run_id: str
    same: bool
    state_hash: str
    sessions: int
    differences: tuple[Difference, ...]
    first_difference: str | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "same": self.same,
            "state_hash": self.state_hash,
            "sessions": self.sessions,
            "differences": [{"part": d.part, "recorded": d.recorded, "now": d.now} for d in self.differences],
            "first_difference": self.first_difference,
        }


def replay_run(desk: Workspace, run: str) -> ReplayVerdict:
    """Execute the recorded plan over its pinned tables; compare chain, spec, code, rules and contents."""
    from quant.specs.compile.plan import BacktestPlan
    from quant.warehouse.lake import Lake

    folder = find_run(desk, run)
    receipt = read_part(folder, "receipt.json")
    recorded = [(str(day), str(digest)) for day, digest in read_part(folder, "chain.json")]
    plan = BacktestPlan.from_json((folder / "plan.json").read_text(encoding="utf-8"))
    lake = Lake(desk.lake)
    tables, table_differences = _tables(lake, plan)
    written = _written(receipt, recorded)
    differences = [
        *written,
        *program_differences(receipt),
        *spec_differences(desk, receipt),
        *table_differences,
        *code_differences(desk, plan),
        *_control(receipt),
    ]
    chain = _chain(desk, replace(plan, tables=tables), lake)
    first = first_difference(recorded, chain)
    return ReplayVerdict(
        run_id=folder.name,
        same=first is None and not written,
        state_hash=chain[-1][1] if chain else "",
        sessions=len(chain),
        differences=tuple(differences),
        first_difference=first,
    )


def first_difference(recorded: list[tuple[str, str]], now: list[tuple[str, str]]) -> str | None:
    """The first session whose hash differs, by bisection: a chain that differs once differs ever after."""
    low, high = 0, min(len(recorded), len(now))
    if low == high:
        return None if len(recorded) == len(now) else (recorded or now)[0][0]
    if recorded[high - 1] == now[high - 1]:
        if len(recorded) == len(now):
            changed = (old[0] for old, new in zip(recorded, now, strict=True) if old != new)
            return next(changed, None)  # an honest chain has none: this one was changed after the run
        return (recorded if len(recorded) > high else now)[high][0]
    while low < high:
        middle = (low + high) // 2
        if recorded[middle] == now[middle]:
            low = middle + 1
        else:
            high = middle
    return recorded[low][0]


def _written(receipt: dict[str, Any], recorded: list[tuple[str, str]]) -> list[Difference]:
    """A receipt and a chain that contradict each other: one of them was changed after the run."""
    said, ends = str(receipt["state_hash"]), recorded[-1][1] if recorded else "nothing"
    return [] if said == ends else [Difference("receipt and chain", said[:16], ends[:16])]


def _chain(desk: Workspace, plan: BacktestPlan, lake: Lake) -> list[tuple[str, str]]:
    from quant.core.time import from_epoch_days

    kernel = execute(desk, load(desk, plan, lake))
    return [(from_epoch_days(day).isoformat(), digest) for day, digest in kernel.chain()]


def _tables(lake: Lake, plan: BacktestPlan) -> tuple[tuple[PinnedTable, ...], list[Difference]]:
    """The pinned versions where their content is what it was; else the newest one, told as a difference."""
    used, differences = [], []
    for table in plan.tables:
        now = _content(lake, table.name, table.version, plan.knowledge_time)
        if now == table.content_hash:
            used.append(table)
            continue
        latest = lake.version(table.name) or 0
        found = _content(lake, table.name, latest, plan.knowledge_time)
        used.append(replace(table, version=latest))
        if found != table.content_hash:
            differences.append(
                Difference(f"table {table.name}", table.content_hash[:16], (found or "absent")[:16])
            )
    return tuple(used), differences


def _content(lake: Lake, table: str, version: int, as_of: datetime | None) -> str | None:
    try:
        return lake.content_hash(table, version=version, as_of=as_of)
    except QuantError:
        return None


def program_differences(receipt: dict[str, Any]) -> list[Difference]:
    """Another kernel or rulebook."""
    from quant.core.market.rules import rulebook
    from quant.native.kernel import KERNEL_HASH

    pairs = (
        ("kernel", receipt["kernel_hash"], KERNEL_HASH),
        ("rulebook", receipt["rulebook_hash"], rulebook().fingerprint),
    )
    return [Difference(part, old[:16], new[:16]) for part, old, new in pairs if old != new]


def spec_differences(desk: Workspace, receipt: dict[str, Any]) -> list[Difference]:
    """Whether the workspace's spec still means the same; a spec that is gone or broken is told too."""
    kind = "backtest" if receipt["mode"] == "backtest" else "deployment"
    try:
        now = resolve_spec(desk, kind, receipt["name"], receipt["overrides"]).fingerprint
    except QuantError as error:
        return [Difference("spec", receipt["spec_fingerprint"][:16], str(error)[:80])]
    if now == receipt["spec_fingerprint"]:
        return []
    return [Difference("spec", receipt["spec_fingerprint"][:16], now[:16])]


def _control(receipt: dict[str, Any]) -> list[Difference]:
    """Instructions that people gave while a session ran are no part of its plan: a replay has none."""
    given = receipt.get("control", [])
    return [Difference("control inputs", f"{len(given)} instructions", "none")] if given else []


def code_differences(desk: Workspace, plan: BacktestPlan) -> list[Difference]:
    """Another text of the Python strategy."""
    if plan.code is None:
        return []
    now = strategy_digest(desk.strategies, plan.code.entry)
    if now == plan.code.source_hash:
        return []
    return [Difference(f"code {plan.code.entry}", plan.code.source_hash[:16], (now or "absent")[:16])]


def strategy_digest(strategies: Path, entry: str) -> str | None:
    """Digest of the file of a Python strategy; None when it is gone."""
    from quant.specs.loader import read_code

    found = read_code(strategies.parent, strategies.name, entry.partition(":")[0])
    return found[1] if found else None
