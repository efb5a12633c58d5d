"""Screens of sessions: the live view, the result, the status."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from quant.qcli.screen import console, note, print_table

if TYPE_CHECKING:
    from rich.table import Table

    from quant.pipelines.flows.session import SessionOutcome
    from quant.trading.session import DayReport
    from quant.trading.status import SessionStatus

REFRESH = 0.1
PLAIN_EVERY = 20


def day_table(day: DayReport) -> Table:
    """One session day as a small table."""
    from rich.table import Table

    table = Table(show_header=False, show_edge=False, pad_edge=False)
    for name, value in (
        ("session", f"{day.session}  ({day.index + 1}/{day.total})"),
        ("net asset value", f"{day.nav:,.2f}"),
        ("cash", f"{day.cash:,.2f}"),
        ("positions", f"{day.positions}"),
        ("fills today", f"{day.fills}"),
        ("state", day.state),
    ):
        table.add_row(name, value)
    return table


@contextmanager
def live_view(*, quiet: bool) -> Iterator[Callable[[DayReport], None]]:
    """A callback for each session day: a refreshing table on a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda _day: None
        return
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.live import Live

    last = 0.0
    with Live(console=console(stderr=True), refresh_per_second=10, transient=True) as live:

        def show(day: DayReport) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= REFRESH or day.index + 1 == day.total:
                last = now
                live.update(day_table(day))

        yield show


def _plain(day: DayReport) -> None:
    if day.index % PLAIN_EVERY == 0 or day.index + 1 == day.total:
        note(f"{day.session}  nav {day.nav:,.2f}  positions {day.positions}  {day.state}")


def print_session(result: SessionOutcome) -> None:
    """How a session ended."""
    resumed = f", resumed after {result.resumed_after}" if result.resumed_after else ""
    note(f"paper session {result.name}: {result.sessions} sessions to {result.end}{resumed}")
    print_table(
        ("figure", "value"),
        [
            ("net asset value", f"{result.nav:,.2f}"),
            ("return", f"{result.total_return:.2%}"),
            ("orders", result.orders),
            ("fills", result.fills),
            ("state", result.state),
        ],
    )
    note(f"state  {result.state_hash[:16]}  journal {result.folder}")
    if result.report:
        note(f"report {result.report}")


def print_detached(status: SessionStatus) -> None:
    """A session went to the background."""
    note(f"session {status.name} runs in the background (pid {status.pid}); quant live status shows it")


def print_status(status: SessionStatus) -> None:
    """What a second process sees."""
    print_table(
        ("figure", "value"),
        [
            ("session", status.name),
            ("state", status.state),
            ("progress", f"{status.done}/{status.total} ({status.last_session or 'not begun'})"),
            ("net asset value", f"{status.nav:,.2f}"),
            ("cash", f"{status.cash:,.2f}"),
            ("positions", len(status.positions)),
            ("halted", status.halt_reason or "no"),
        ],
    )
    if status.positions:
        print_table(
            ("code", "quantity", "sellable", "value"),
            [(p.code, p.quantity, p.sellable, f"{p.value:,.2f}") for p in status.positions[:30]],
        )


def watch_status(read: Callable[[], SessionStatus]) -> None:
    """Print the status until the session has ended."""
    while True:
        status = read()
        console().clear()
        print_status(status)
        if status.state not in {"running", "starting", "paused", "halted"}:
            return
        time.sleep(1.0)
