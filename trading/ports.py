"""What a session is plugged into: clock, feed, venue, journal, strategy, control.

The session loop knows these protocols only; ``pipelines.wiring`` chooses the adapters. Times are int ns UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from quant.native.batch import Batch, ControlKind

if TYPE_CHECKING:
    from quant.trading.market_data import MarketData
    from quant.trading.view import View

Ns = int


class Rebalance(Protocol):
    """When a strategy decides."""

    @property
    def every(self) -> Any: ...
    @property
    def on(self) -> Any: ...


class SessionPlan(Protocol):
    """The part of a plan that a session reads; every ``BacktestPlan`` is one."""

    @property
    def name(self) -> str: ...
    @property
    def calendar(self) -> str: ...
    @property
    def decide(self) -> Any: ...
    @property
    def rebalance(self) -> Rebalance: ...
    @property
    def seed(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...


class Clock(Protocol):
    """Says when to look at the world."""

    def steps(self, plan: SessionPlan, after: Ns) -> Iterator[tuple[Ns, bool]]:
        """Instants later than ``after``, ascending; True marks a decision instant."""
        ...


class Feed(Protocol):
    """Where market events come from."""

    def poll(self, until: Ns) -> Sequence[Batch]:
        """Events not given before, with ts <= until, ascending."""
        ...

    def resume(self, last: Batch) -> None:
        """Go on after slice ``last``, which a journal already holds."""
        ...


class Venue(Protocol):
    """Where orders go. It never answers in ``submit``; answers are events."""

    simulated: bool
    """True: a replay rebuilds it by submitting again. False: replayed commands are never sent."""

    def submit(self, commands: Batch) -> None: ...

    def poll(self, until: Ns) -> Batch:
        """Reports with ts <= until that were not given before; n = 0 when there are none."""
        ...

    def open_state(self) -> dict[str, Any]:
        """Orders as the venue sees them: order_id, instrument, side, quantity, filled, price."""
        ...

    def snapshot(self) -> bytes: ...

    def restore(self, state: bytes) -> None: ...


class Origin(IntEnum):
    """Why an input is in the journal."""

    INPUT = 1
    """An event from the feed, the venue or the control port."""
    DECISION = 2
    """The strategy's intents at a decision instant, with the strategy's state after it."""
    REACTION = 3
    """The strategy's intents in answer to order events, with its state."""
    REFUSAL = 4
    """Rejections made by the halt gate: the new orders of the input before it were never sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One journaled input; ``state`` is the strategy's snapshot (DECISION and REACTION only)."""

    index: int
    origin: Origin
    batch: Batch
    state: bytes = b""


class Journal(Protocol):
    """The durable record of every input."""

    def append(self, inputs: Batch, *, origin: Origin = Origin.INPUT, state: bytes = b"") -> int:
        """Durable before it returns; the entry's index, counted from 0."""
        ...

    def replay(self, start: int = 0) -> Iterator[Entry]:
        """Entries from index ``start`` on, in order."""
        ...

    def __len__(self) -> int: ...


class Strategy(Protocol):
    """Decides: a declarative spec, or a user's Python class. Its own state survives a restart."""

    reacts: bool
    """Whether ``on_events`` does anything."""
    fingerprint: str
    """Hash of its code, so that a journal is not continued by another; empty when a spec says it all."""

    def on_events(self, view: View, events: Batch) -> Batch:
        """Intents in answer to order reports."""
        ...

    def decide(self, view: View) -> Batch:
        """Intents at a decision instant; ``view`` knows nothing after ``view.ts``."""
        ...

    def snapshot(self) -> bytes: ...

    def restore(self, state: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """A person's instruction. ``line`` is its place in the control file, 0 when it came by the halt lock."""

    kind: ControlKind
    actor: str
    at: str
    reason: str
    line: int = 0


class Control(Protocol):
    """Instructions from outside while a session runs."""

    def poll(self) -> Sequence[ControlEvent]:
        """Instructions not given before."""
        ...

    def lock(self) -> ControlEvent | None:
        """The halt in force, if any; asked before every submit, so it must be cheap and need no service."""
        ...

    def resume(self, line: int) -> None:
        """Go on after ``line``, which a journal already holds."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A session between two instants: the state of every part after ``entries`` journal entries."""

    entries: int
    kernel: bytes
    venue: bytes
    strategy: bytes
    last_ts: Ns
    decided_ts: Ns
    control_line: int
    slice_t: int
    slice_phase: int


class Snapshots(Protocol):
    """Where the newest snapshot is kept. Only a shortcut: without it the whole journal is replayed."""

    def load(self) -> Snapshot | None: ...

    def save(self, snapshot: Snapshot) -> None: ...


class Book(Protocol):
    """What the loop needs of a kernel."""

    @property
    def nav(self) -> int: ...
    @property
    def cash(self) -> int: ...
    @property
    def available(self) -> int: ...
    @property
    def halted(self) -> bool: ...
    @property
    def paused(self) -> bool: ...
    def step(self, batch: Batch) -> Batch: ...
    def positions(self) -> dict[str, Any]: ...
    def quantity(self, instrument: int) -> int: ...
    def orders(self) -> dict[str, Any]: ...
    def fills(self) -> dict[str, Any]: ...
    def state_hash(self) -> str: ...
    def chain(self) -> list[tuple[int, str]]: ...
    def snapshot(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything one session is plugged into."""

    clock: Clock
    feed: Feed
    venue: Venue
    journal: Journal
    strategy: Strategy
    control: Control
    data: MarketData
    snapshots: Snapshots | None = None
    restore_kernel: Callable[[bytes], Book] | None = None
    """Makes the kernel of a snapshot; without it a snapshot is not used."""
    snapshot_every: int = field(default=20)
    """Sessions between two snapshots."""
