"""Which past decisions would be others with the data as they are now: runs and paper sessions, by replay.

A declared strategy is run once more over the data it had, and at every decision whose scores the new data
change it is asked what it would have done then, with the book it had: so a decision is listed for its own
sake, never because an earlier one would have led to another book. A Python strategy is run over both; after
its first difference its later ones may be consequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from quant.core.errors import QuantError
from quant.core.money import PRICE_SCALE, RATE_SCALE
from quant.pipelines.flows.recalled import (
    REPLAYED,
    DecisionChange,
    FillChange,
    OrderChange,
    Recall,
    TargetChange,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from quant.native.kernel import Kernel
    from quant.pipelines.wiring import Prepared
    from quant.pipelines.workspace import Workspace
    from quant.specs.compile.plan import BacktestPlan, PinnedTable
    from quant.warehouse.lake import Lake


@dataclass(frozen=True, slots=True)
class _Case:
    """A plan that was carried out: a run of this workspace, or a session under way up to ``until``."""

    run: str
    plan: BacktestPlan
    until: date | None = None


def affected_decisions(
    desk: Workspace, changes: pl.DataFrame | None = None, *, run: str | None = None
) -> list[Recall]:
    """Runs and sessions whose data the lake now says otherwise, newest first, with what would differ.

    ``changes`` (as of ``changed_cells``) leaves out runs that read none of these tables; ``run`` takes one
    run only. Runs with a knowledge time are affected only by what was recorded before it.
    """
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    known: dict[str, Recall] = {}
    found = []
    for case in _cases(desk, run):
        if changes is not None and not _touched(case.plan, changes):
            continue
        key = f"{case.plan.fingerprint} {case.until}"
        if key not in known:
            known[key] = _recall(desk, lake, case)
        found.append(replace(known[key], run=case.run, name=case.plan.name, mode=case.plan.mode))
    return [recall for recall in found if recall.affected or recall.cells or run is not None]


def _cases(desk: Workspace, run: str | None) -> Iterator[_Case]:
    from quant.pipelines.flows.runs import find_run
    from quant.specs.compile.plan import BacktestPlan

    if run is not None:
        folder = find_run(desk, run)
        yield _Case(folder.name, BacktestPlan.from_json((folder / "plan.json").read_bytes()))
        return
    finished = set()
    for folder in sorted(desk.runs.glob("[!.]*"), reverse=True) if desk.runs.is_dir() else ():
        if (folder / "plan.json").is_file() and (folder / "receipt.json").is_file():
            plan = BacktestPlan.from_json((folder / "plan.json").read_bytes())
            finished.add(plan.fingerprint)
            yield _Case(folder.name, plan)
    yield from _sessions(desk, finished)


def _sessions(desk: Workspace, finished: set[str]) -> Iterator[_Case]:
    from quant.specs.compile.plan import BacktestPlan
    from quant.trading.status import read_status

    for folder in sorted(desk.sessions.glob("*/plan.json")) if desk.sessions.is_dir() else ():
        plan = BacktestPlan.from_json(folder.read_bytes())
        if plan.fingerprint in finished:
            continue
        try:
            last = read_status(folder.parent).last_session
        except QuantError:
            continue
        if last is not None:
            yield _Case(f"session {folder.parent.name}", plan, date.fromisoformat(last))


def _touched(plan: BacktestPlan, changes: pl.DataFrame) -> bool:
    end = date.fromisoformat(plan.end)
    mine = changes.filter(pl.col("table").is_in([t.name for t in plan.tables]))
    return bool(mine.filter(pl.col("day").is_null() | (pl.col("day") <= end)).height)


def _recall(desk: Workspace, lake: Lake, case: _Case) -> Recall:
    from quant.pipelines.flows.backtest import load

    plan = case.plan
    recall = Recall(case.run, plan.name, plan.mode, {})
    try:
        tables, cells = _newest(lake, plan)
        if not cells:
            return recall
        recall = replace(recall, cells=cells)
        old = load(desk, plan, lake)
        new = load(desk, replace(plan, tables=tables), lake)
        last = _last_row(old, case.until)
        if plan.code is None and not _joined_later(old, new):
            decisions = _each_decision(old, new, last)
        else:
            recall = replace(recall, method=REPLAYED)
            decisions = _replayed(desk, old, new, last)
        return replace(recall, decisions=decisions, fills=_repriced(desk, old, new, last))
    except QuantError as error:
        return replace(recall, problem=str(error))


def _newest(lake: Lake, plan: BacktestPlan) -> tuple[tuple[PinnedTable, ...], dict[str, int]]:
    """The plan's tables at their newest versions, and how many cells up to the end of its range differ."""
    from quant.warehouse.contracts.tables import contract
    from quant.warehouse.restate import changed_cells

    used: list[PinnedTable] = []
    cells: dict[str, int] = {}
    end = date.fromisoformat(plan.end)
    for table in plan.tables:
        latest = lake.version(table.name)
        same = latest is None or latest == table.version
        if same or lake.content_hash(table.name, latest, as_of=plan.knowledge_time) == table.content_hash:
            used.append(table)
            continue
        assert latest is not None
        dated = end if contract(table.name).time else None
        changes = changed_cells(lake, table.name, table.version, latest, end=dated, as_of=plan.knowledge_time)
        count = changes.filter(pl.col("day").is_null() | (pl.col("day") <= end)).height
        cells |= {table.name: count} if count else {}
        used.append(replace(table, version=latest) if count else table)
    return tuple(used), cells


def _last_row(prepared: Prepared, until: date | None) -> int:
    sessions = prepared.sessions
    return len(sessions) - 1 if until is None else max(sum(d <= until for d in sessions) - 1, 0)


def _joined_later(old: Prepared, new: Prepared) -> bool:
    """Whether the new data have instruments that the run could not know."""
    return not np.isin(new.panel.instruments, old.panel.instruments).all()


# -- declared strategies


def _each_decision(old: Prepared, new: Prepared, last: int) -> tuple[DecisionChange, ...]:
    scores, eligible = _on_axis(old, new)
    same = (scores == old.scores) | (np.isnan(scores) & np.isnan(old.scores))
    differ = (~same | (eligible != old.eligible)).any(axis=1) & (old.rows <= last)
    if not differ.any():
        return ()
    found = []
    for at, before, after in _targets(old, scores, eligible, np.flatnonzero(differ)):
        targets = _target_changes(old, before, after)
        if targets:
            orders = _order_changes(old, scores, eligible, at)
            found.append(DecisionChange(old.sessions[old.rows[at]], targets, orders))
    return tuple(found)


def _on_axis(old: Prepared, new: Prepared) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The new scores and eligibility on the old run's instruments; names that are gone have none."""
    place = np.searchsorted(new.panel.instruments, old.panel.instruments)
    place = np.minimum(place, max(len(new.panel.instruments) - 1, 0))
    there = new.panel.instruments[place] == old.panel.instruments
    scores = np.where(there, new.scores[:, place], np.nan)
    return np.ascontiguousarray(scores), np.ascontiguousarray(new.eligible[:, place] & there)


def _targets(
    old: Prepared,
    scores: npt.NDArray[np.float64],
    eligible: npt.NDArray[np.bool_],
    differ: npt.NDArray[np.intp],
) -> list[tuple[int, dict[int, int], dict[int, int]]]:
    """Targets of the decisions ``differ`` as they were and as they would have been, with the book of then."""
    from quant.native.kernel import construct
    from quant.pipelines.wiring import paper_data
    from quant.trading.paper import run_replay
    from quant.trading.strategies import DeclarativeStrategy, FixedScores
    from quant.trading.view import View, book_of

    wanted = {int(old.rows[at]): int(at) for at in differ}
    found: list[tuple[int, dict[int, int], dict[int, int]]] = []

    class Asked(DeclarativeStrategy):
        """Decides as it did, and is asked what it would have decided."""

        def decide(self, view: View) -> Any:
            decided = super().decide(view)
            at = wanted.get(view.t)
            if at is not None:
                other = construct(old.construct, scores[at], eligible[at], book_of(view))
                found.append((at, _weights(decided), _weights(other)))
            return decided

    strategy = Asked(old.construct, FixedScores(old.rows, old.scores, old.eligible))
    until = int(old.market.arrays["instants"][max(wanted), 3])
    run_replay(old.plan, paper_data(old), old.config, strategy, rows=old.rows, until=until)
    return found


def _weights(intents: Any) -> dict[int, int]:
    return dict(zip(intents.columns["instrument"].tolist(), intents.columns["weight"].tolist(), strict=True))


def _target_changes(
    old: Prepared, before: Mapping[int, int], after: Mapping[int, int]
) -> tuple[TargetChange, ...]:
    codes = old.panel.codes
    changed = sorted(i for i in {*before, *after} if (before.get(i) or 0) != (after.get(i) or 0))
    return tuple(TargetChange(codes[i], _share(before.get(i)), _share(after.get(i))) for i in changed)


def _share(weight: int | None) -> float | None:
    return None if weight is None else weight / RATE_SCALE


def _order_changes(
    old: Prepared, scores: npt.NDArray[np.float64], eligible: npt.NDArray[np.bool_], at: int
) -> tuple[OrderChange, ...]:
    """The orders of one decision, everything before it as it was."""
    row = int(old.rows[at])
    hybrid_scores, hybrid_eligible = old.scores[: at + 1].copy(), old.eligible[: at + 1].copy()
    was = _orders(_run_to(old, hybrid_scores, hybrid_eligible, at), row)
    hybrid_scores[at], hybrid_eligible[at] = scores[at], eligible[at]
    would = _orders(_run_to(old, hybrid_scores, hybrid_eligible, at), row)
    return _compare_orders(old, was, would)


def _run_to(
    old: Prepared, scores: npt.NDArray[np.float64], eligible: npt.NDArray[np.bool_], at: int
) -> Kernel:
    """A run up to the session on which the orders of decision ``at`` trade."""
    from quant.native.kernel import run_fused

    rows = old.rows[: at + 1]
    last = min(int(rows[-1]) + 1, old.market.T - 1)
    return run_fused(old.config, old.market, old.construct, scores, eligible, rows, last=last).kernel


def _orders(kernel: Kernel, first: int) -> dict[tuple[int, int], int]:
    """Signed quantity of the orders from market row ``first`` on, by row and instrument."""
    orders = kernel.orders()
    found: dict[tuple[int, int], int] = {}
    for row, instrument, side, quantity in zip(
        *(orders[name].tolist() for name in ("row", "instrument", "side", "quantity")), strict=True
    ):
        if row >= first:
            found[row, instrument] = found.get((row, instrument), 0) + side * quantity
    return found


def _compare_orders(
    old: Prepared, was: Mapping[tuple[int, int], int], would: Mapping[tuple[int, int], int]
) -> tuple[OrderChange, ...]:
    return tuple(
        OrderChange(old.sessions[row], old.panel.codes[i], was.get((row, i), 0), would.get((row, i), 0))
        for row, i in sorted({*was, *would})
        if was.get((row, i), 0) != would.get((row, i), 0)
    )


# -- Python strategies, and data with new instruments


def _replayed(desk: Workspace, old: Prepared, new: Prepared, last: int) -> tuple[DecisionChange, ...]:
    """Orders of both runs by session; a session stands for the decision that led to them."""
    from quant.pipelines.flows.backtest import execute

    was, would = (_by_code(each, execute(desk, each)) for each in (old, new))
    sessions = sorted({s for s, _ in {*was, *would}})
    found = []
    for session in (s for s in sessions if s <= old.sessions[last]):
        names = sorted({c for s, c in {*was, *would} if s == session})
        orders = tuple(
            OrderChange(session, code, was.get((session, code), 0), would.get((session, code), 0))
            for code in names
            if was.get((session, code), 0) != would.get((session, code), 0)
        )
        if orders:
            found.append(DecisionChange(session, (), orders))
    return tuple(found)


def _by_code(prepared: Prepared, kernel: Kernel) -> dict[tuple[date, str], int]:
    codes, sessions = prepared.panel.codes, prepared.sessions
    return {(sessions[row], codes[i]): q for (row, i), q in _orders(kernel, 0).items()}


# -- fills


def _repriced(desk: Workspace, old: Prepared, new: Prepared, last: int) -> tuple[FillChange, ...]:
    """Fills of the run on bars whose fill price is another now."""
    from quant.pipelines.flows.backtest import execute

    at = old.plan.fill.at
    place = {code: i for i, code in enumerate(new.panel.codes)}
    known = [(i, place[code]) for i, code in enumerate(old.panel.codes) if code in place]
    columns, others = np.array([k[0] for k in known], np.intp), np.array([k[1] for k in known], np.intp)
    before = old.market.arrays[at]
    after = before.copy()
    after[:, columns] = new.market.arrays[at][:, others]
    if np.array_equal(before, after):
        return ()
    fills = execute(desk, old).fills()
    rows, instruments = np.asarray(fills["row"]), np.asarray(fills["instrument"])
    hit = (before[rows, instruments] != after[rows, instruments]) & (rows <= last)
    changes = {
        (old.sessions[r], old.panel.codes[i]): (before[r, i] / PRICE_SCALE, after[r, i] / PRICE_SCALE)
        for r, i in zip(rows[hit].tolist(), instruments[hit].tolist(), strict=True)
    }
    return tuple(FillChange(s, c, float(b), float(a)) for (s, c), (b, a) in sorted(changes.items()))
