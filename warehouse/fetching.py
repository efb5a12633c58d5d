"""The items of one table: vendors are asked at the same time, rows are stored one item after the other.

A source is asked for its next interval when its last one is stored, so that what it has answered is
remembered and forgotten exactly as if it were alone. Instruments are stored in the order of the plan, since
ids are minted on the way.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from quant.core.errors import CheckFailed, QuantError
from quant.core.time import to_datetime, utc_now
from quant.warehouse.contracts.tables import contract
from quant.warehouse.ingest import Asked, IngestReport, ask
from quant.warehouse.lake import Lake
from quant.warehouse.planning import Agreement, Item, SyncItem
from quant.warehouse.sources.registry import provider
from quant.warehouse.sources.world import world_of
from quant.warehouse.sync import Actor, ingest
from quant.warehouse.sync_log import Ingest, Outcome, record

Done = tuple[Item, IngestReport | QuantError]
Begun = Callable[[Item], None]
REFUSED: Final = "quarantine.share"
"""The failure that ingesting logs itself."""
_IN_ORDER: Final = "instruments"


@dataclass(slots=True)
class _Lane:
    """The items of whoever can only be asked one thing at a time, in the order of the plan."""

    items: deque[SyncItem]
    answered: Asked | BaseException | None = None
    asking: bool = False


@dataclass(slots=True)
class _Table:
    """One table's items while they are stored."""

    lake: Lake
    run: str
    actor: Actor | None
    now: Callable[[], int]
    begun: Begun
    stopped: set[str] = field(default_factory=set)

    def store(self, item: Item, asked: Asked | None = None) -> Done:
        """Store an item; a failure that is not about its rows ends the source's turn."""
        try:
            return item, ingest(item, self.lake, run=self.run, actor=self.actor, now=self.now, asked=asked)
        except QuantError as error:
            return self.failed(item, error)

    def failed(self, item: Item, error: QuantError) -> Done:
        """What could not be stored is said in the log too, as far as that can be written."""
        if isinstance(item, SyncItem) and error.fault.code != REFUSED:
            said = {"error": error.fault.code, "message": error.fault.message}
            outcome = Outcome(item.start, item.end, "failed", False, 0, 0, 0, said)
            with contextlib.suppress(QuantError, OSError):
                record(self.lake, item, outcome, Ingest(self.run, self.actor, to_datetime(self.now())))
        if not isinstance(error, CheckFailed):
            self.stopped.add(item.label)
        return item, error


def ingest_table(
    items: Sequence[Item],
    lake: Lake,
    *,
    run: str,
    actor: Actor | None = None,
    begun: Begun = lambda _: None,
    now: Callable[[], int] = utc_now,
) -> Iterator[Done]:
    """Store the items of one table; each is given with its report or with why it could not be stored. Agreed
    intervals come last. The caller holds the lake's lock.
    """
    table = _Table(lake, run, actor, now, begun)
    fetched = [item for item in items if isinstance(item, SyncItem)]
    lanes = _lanes(fetched)
    if len(lanes) > 1:
        yield from _together(table, lanes, in_order=[*fetched] if _minted(fetched) else [])
    else:
        yield from _one_by_one(table, fetched)
    yield from _one_by_one(table, [item for item in items if isinstance(item, Agreement)])


def _minted(items: Sequence[SyncItem]) -> bool:
    return any(contract(item.table.dataset).name == _IN_ORDER for item in items)


def _one_by_one(table: _Table, items: Sequence[Item]) -> Iterator[Done]:
    for item in items:
        if item.label not in table.stopped:
            table.begun(item)
            yield table.store(item)


def _lanes(items: Sequence[SyncItem]) -> list[_Lane]:
    """One for each source, one for all sources of a client that must not be used twice at a time, and one for
    what is read on this machine.
    """
    found: dict[tuple[str, str], _Lane] = {}
    for item in items:
        found.setdefault(_lane_of(item), _Lane(deque())).items.append(item)
    return [*found.values()]


def _lane_of(item: SyncItem) -> tuple[str, str]:
    kind = provider(item.source)
    if not kind.vendor:
        return "here", ""
    return ("source", item.source.name) if kind.threads else ("client", item.source.provider)


def _together(table: _Table, lanes: list[_Lane], in_order: list[SyncItem]) -> Iterator[Done]:
    """Whichever lane has its answers next is stored next; with ``in_order`` the items as they stand there."""
    ready: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
    waiting: list[_Lane] = []
    while any(lane.items for lane in lanes):
        for lane in lanes:
            _skip(table, lane, in_order)
            if lane.items and not lane.asking:
                _begin(table, lane, ready)
        if not any(lane.items for lane in lanes):
            return
        waiting.append(ready.get())
        while (done := _next(waiting, in_order)) is not None:
            waiting.remove(done)
            item, answered = done.items.popleft(), done.answered
            done.asking, done.answered = False, None
            if in_order:
                in_order.remove(item)
            if isinstance(answered, QuantError):
                yield table.failed(item, answered)
            elif isinstance(answered, BaseException):
                raise answered
            else:
                yield table.store(item, answered)


def _next(waiting: Sequence[_Lane], in_order: Sequence[SyncItem]) -> _Lane | None:
    for lane in waiting:
        if not in_order or lane.items[0] is in_order[0]:
            return lane
    return None


def _skip(table: _Table, lane: _Lane, in_order: list[SyncItem]) -> None:
    while not lane.asking and lane.items and lane.items[0].label in table.stopped:
        gone = lane.items.popleft()
        if in_order:
            in_order.remove(gone)


def _begin(table: _Table, lane: _Lane, ready: queue.SimpleQueue[_Lane]) -> None:
    """Ask for the lane's next item in a thread; what needs no vendor is ready at once."""
    item = lane.items[0]
    lane.asking = True
    table.begun(item)
    if not (item.fetch and provider(item.source).vendor):
        ready.put(lane)
        return
    world = world_of(item.source, table.lake)
    world.codes(item.start, item.end)  # read here: the thread then needs nothing that is being written

    def work() -> None:
        try:
            lane.answered = ask(item, table.lake, world)
        except BaseException as error:
            lane.answered = error
        ready.put(lane)

    name = f"fetch-{item.source.name}"
    threading.Thread(target=work, name=name, daemon=True).start()  # Ctrl-C waits for nobody
