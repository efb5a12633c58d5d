"""Restart = replay: the newest snapshot, then every journaled input after it.

The commands that the replay causes again rebuild a simulated venue, whose answers must be the journaled ones;
they are never sent to a real venue, which is asked for its open orders instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from quant.core.errors import StateConflict
from quant.core.time import show_instant
from quant.native.batch import Action, Batch, BatchKind, Phase
from quant.trading.control import control_line
from quant.trading.journal import is_order_report
from quant.trading.ports import Entry, Origin, Snapshot
from quant.trading.reconcile import reconcile
from quant.trading.session import is_halt, step, submit_part

if TYPE_CHECKING:
    from quant.trading.session import SessionLoop

_FRESH = "quant deploy --env paper --fresh archives the journal and starts anew"


def recover(loop: SessionLoop) -> int:
    """Bring ``loop`` to where its journal ends; the number of inputs replayed.

    Raises:
        StateConflict: the journal has lost entries, or the replay does not give its answers again.
    """
    ports = loop.ports
    start = _restore(loop)
    state: bytes | None = None
    count = 0
    for entry, following in _with_next(ports.journal.replay(start)):
        count += 1
        if entry.origin in (Origin.DECISION, Origin.REACTION):
            state = entry.state
        loop.control_line = max(loop.control_line, control_line(entry.batch))
        loop.observe(entry.batch, entry.origin)
        commands = step(loop.kernel, entry.batch, entry.origin)
        if following is not None:
            _rebuild(loop, entry, following, commands)
            continue
        if state is not None:
            loop.restore_strategy(state)
        _resume_ports(loop)
        _settle(loop, entry, commands)
    if not count and start:
        _resume_ports(loop)
    if count or start:
        loop.resumed_after = loop.last_ts
        for batch in reconcile(loop.kernel, ports.venue, loop.slice):
            loop.take(batch)
    return count


def _restore(loop: SessionLoop) -> int:
    """Apply the newest usable snapshot; how many entries it covers."""
    ports = loop.ports
    snapshot = ports.snapshots.load() if ports.snapshots is not None else None
    if snapshot is None or ports.restore_kernel is None:
        return 0
    if snapshot.entries > len(ports.journal):
        raise StateConflict(
            "journal.lost",
            "the journal is shorter than the snapshot beside it",
            expected=f"{snapshot.entries} entries or more",
            found=f"{len(ports.journal)} entries",
            hint=f"restore the journal from a backup; {_FRESH}",
        )
    loop.kernel = ports.restore_kernel(snapshot.kernel)
    ports.venue.restore(snapshot.venue)
    loop.restore_strategy(snapshot.strategy)
    _place(loop, snapshot)
    return snapshot.entries


def _place(loop: SessionLoop, snapshot: Snapshot) -> None:
    loop.last_ts, loop.decided_ts = snapshot.last_ts, snapshot.decided_ts
    loop.control_line = snapshot.control_line
    loop.slice = Batch.slice(loop.ports.data.market, snapshot.slice_t, Phase(snapshot.slice_phase))


def _resume_ports(loop: SessionLoop) -> None:
    if loop.slice is not None:
        loop.ports.feed.resume(loop.slice)
    loop.ports.control.resume(loop.control_line)


def _settle(loop: SessionLoop, entry: Entry, commands: Batch) -> None:
    """The process died somewhere after the last entry: do what follows from it, but send nothing again."""
    if not loop.ports.venue.simulated:
        commands = Batch.of(BatchKind.COMMANDS, commands.ts, commands.phase, commands.t)
    loop.settle(entry.batch, entry.origin, commands)


def _rebuild(loop: SessionLoop, entry: Entry, following: Entry, commands: Batch) -> None:
    """Do to a simulated venue what the session did after ``entry``; its answer must be the next entry."""
    venue = loop.ports.venue
    if not venue.simulated:
        return
    if following.origin is Origin.REFUSAL:
        if commands.n:
            submit_part(venue, commands, commands.columns["action"] == Action.CANCEL)
        return
    venue.submit(commands)
    halted_next = entry.origin is Origin.REFUSAL and is_halt(following.batch)
    if following.origin is Origin.REACTION or halted_next:
        return
    reports = venue.poll(loop.horizon)
    expected = following.batch if is_order_report(following) else None
    if reports.n == 0 and expected is None:
        return
    if expected is None or reports.encode() != expected.encode():
        raise StateConflict(
            "journal.diverged",
            f"the replay of journal entry {entry.index} does not give the answers that the journal holds",
            expected=_describe(expected),
            found=_describe(reports),
            hint=f"the plan's data or this program changed under the session; {_FRESH}",
        )


def _describe(reports: Batch | None) -> str:
    if reports is None or not reports.n:
        return "no reports"
    return f"{reports.n} reports at {show_instant(reports.ts)}"


def _with_next(entries: Iterator[Entry]) -> Iterator[tuple[Entry, Entry | None]]:
    """Each entry with the one after it, None after the last."""
    ends: list[Entry | None] = [None]
    for entry, following in pairwise(chain[Entry | None](entries, ends)):
        if entry is not None:
            yield entry, following
