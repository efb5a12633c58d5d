"""Screens of ``quant warehouse``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from quant.qcli.render.progress import Stages
from quant.qcli.screen import note, print_table

if TYPE_CHECKING:
    from quant.pipelines.flows.warehouse import Verification
    from quant.warehouse.engines.projections import CopyStatus, LoadResult


def rows_progress(reporter: Stages, unit: str) -> Callable[[str, int, int], None]:
    """A stage a table, with a count in it."""
    stage = ""

    def told(table: str, done: int, total: int) -> None:
        nonlocal stage
        if table != stage:
            stage = table
            reporter(table)
        reporter.count(done, total, unit)

    return told


def print_loads(done: Sequence[LoadResult]) -> None:
    """What a load did, a line a table."""
    if not done:
        note("the lake has no golden tables yet: quant data sync")
        return
    print_table(
        ("table", "version", "rows", "partitions loaded", "kept"),
        [
            (each.table, each.version, each.rows, each.partitions_loaded, each.partitions_kept)
            for each in done
        ],
    )
    if not any(each.changed for each in done):
        note("the server was up to date")


def print_verification(found: Verification) -> None:
    """The comparison by table, and every partition that differs."""
    tables = list(dict.fromkeys(check.table for check in found.checks))
    rows = []
    for table in tables:
        own = [check for check in found.checks if check.table == table]
        wrong = [check for check in own if not check.equal]
        rows.append((table, own[0].version, len(own), sum(c.server_rows for c in own), len(wrong)))
    print_table(("table", "version", "partitions", "rows", "different"), rows)
    for check in found.wrong:
        place = check.partition if check.partition != "0" else "(whole table)"
        note(f"{check.table} {place}: lake {check.lake_rows:,} rows, server {check.server_rows:,}")


def print_status(found: Sequence[CopyStatus]) -> None:
    """Versions on both sides."""
    rows = [
        (
            each.table,
            each.lake_version,
            "-" if each.server_version is None else each.server_version,
            f"{each.rows:,}",
            "current" if each.current else "not loaded" if each.server_version is None else "behind",
        )
        for each in found
    ]
    print_table(("table", "lake", "server", "rows on the server", "state"), rows)
    if any(not each.current for each in found):
        note("quant warehouse load brings the server up to date")
