"""The screen of ``quant rules check``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quant.qcli.screen import is_wide, note, print_json, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.rule_check import CheckOutcome
    from quant.warehouse.rulecheck import SideCheck


def show(outcome: CheckOutcome, limit: int, *, as_json: bool) -> None:
    """Counts by side and cause, then the prints outside: the unexplained ones first."""
    if as_json:
        print_json(outcome.as_dict(limit))
        return
    for side in outcome.sides:
        _counts(side)
    rows = [(side.name, row) for side in outcome.sides for row in side.causes.to_dicts()]
    if rows:
        print_table(
            ("bars of", "cause", "prints", "bars"),
            [(name, row["cause"], row["prints"], row["bars"]) for name, row in rows],
        )
    for side in outcome.sides:
        _prints(side, limit)
    note(f"rulebook {outcome.rulebook_hash}")


def _counts(side: SideCheck) -> None:
    note(
        f"{side.name}: {side.judged:,} of {side.bars:,} bars with trades judged, {side.at_limit:,} of them "
        f"touch a limit; {side.prints.height:,} prints outside, {side.unexplained.height:,} unexplained"
    )
    for line in side.notes:
        note(f"  {line}")
    for what, count in side.left_out.items():
        note(f"  left out: {count:,} ({what})")
    for what, count in side.assumed.items():
        note(f"  assumed: {what}, {count:,} bars")
    for what, count in side.fault_counts.items():
        note(f"  fault: {what}, {count:,} bars")


def _prints(side: SideCheck, limit: int) -> None:
    import polars as pl

    if not limit:
        return
    order = side.prints.sort(pl.col("cause") != "unexplained", maintain_order=True)
    shown = order.head(limit)
    if shown.height:
        heads = ["code", "session", "print", "price", "down", "up", "cause", "evidence"]
        if is_wide():
            heads[4:4] = ["reference", "status"]
        print_table(heads, shown.select(heads).rows(), title=side.name)
    if order.height > shown.height:
        note(f"{side.name}: {order.height - shown.height:,} more prints; --limit, or --json --limit N")
    faults = side.faults.head(limit)
    if faults.height:
        print_table(("code", "session", "fault", "detail"), faults.rows(), title=f"{side.name}: faults")
