"""A paper session: a deployment's plan over a replayed market, at the simulated exchange, day by day."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import QuantError
from quant.core.money import MONEY_SCALE
from quant.trading.clocks import ReplayClock, wall_time
from quant.trading.control import FileControl, NoControl, read_halt
from quant.trading.feeds.replay import ReplayFeed
from quant.trading.folder import SessionFolder
from quant.trading.journal import FileJournal, JournalHeader, NoJournal
from quant.trading.market_data import MarketData
from quant.trading.ports import Book, Journal, Ns, Ports, SessionPlan, Strategy
from quant.trading.session import DayReport, OnClose, OnDay, SessionResult, run_session
from quant.trading.snapshots import FileSnapshots
from quant.trading.status import HeldPosition, SessionStatus, State, StatusFile, own_pid
from quant.trading.venues.simulated import SimulatedVenue
from quant.trading.view import holdings

if TYPE_CHECKING:
    from quant.native.config import KernelConfig

__all__ = ["DayReport", "PaperOptions", "run_paper", "run_replay"]


class StoredPlan(SessionPlan, Protocol):
    """A plan that can be kept beside its journal."""

    def to_json(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """``rows``: decision rows, None = from the plan. ``pace``: seconds between two session days.

    ``snapshot_every`` session days a snapshot is written; 0 = never.
    """

    rows: NDArray[np.int32] | None = None
    pace: float = 0.0
    snapshot_every: int = 20


def run_paper(
    plan: StoredPlan,
    data: MarketData,
    config: KernelConfig,
    strategy: Strategy,
    folder: Path,
    *,
    on_day: OnDay | None = None,
    options: PaperOptions | None = None,
) -> SessionResult:
    """Run or resume the paper session in ``folder`` to the end of the market.

    Raises:
        StateConflict: another process runs it, or its journal belongs to another plan, kernel or strategy.
        StrategyError: the user's strategy failed; the journal ends before its decision.
    """
    session = _Paper(plan, data, config, strategy, SessionFolder(folder), options or PaperOptions())
    session.place.create()
    with session.place.lock():
        journal = FileJournal(session.place.journal, session.header, data.market)
        try:
            session.keep_plan()
            return session.run(session.ports(journal), on_day)
        finally:
            journal.close()


def run_replay(
    plan: SessionPlan,
    data: MarketData,
    config: KernelConfig,
    strategy: Strategy,
    *,
    rows: NDArray[np.int32] | None = None,
    until: Ns | None = None,
    journal: Journal | None = None,
    on_day: OnDay | None = None,
) -> SessionResult:
    """The same loop without a folder: a backtest of a strategy that decides in Python.

    ``until`` is the last instant replayed; ``journal`` keeps the inputs where someone wants to see them.
    Without them, and for a strategy that does not answer order events, the bars are worked off in C++.
    """
    from quant.native.kernel import Kernel
    from quant.trading.memory import run_in_memory

    if until is None and journal is None and on_day is None and not strategy.reacts:
        return run_in_memory(plan, data, config, strategy, rows=rows)
    market = data.market
    shown = None if on_day is None else lambda day, _book: on_day(day)
    ports = Ports(
        clock=ReplayClock(market, rows, until=until),
        feed=ReplayFeed(market, plan.decide),
        venue=simulated_venue(config, data, plan.decide),
        journal=journal if journal is not None else NoJournal(),
        strategy=strategy,
        control=NoControl(),
        data=data,
    )
    return run_session(plan, ports, Kernel(config, market), on_close=shown)


def simulated_venue(config: KernelConfig, data: MarketData, decide: str) -> SimulatedVenue:
    """The native simulated exchange over ``data``'s market."""
    from quant.native.kernel import SimVenue

    market = data.market
    return SimulatedVenue(
        SimVenue(config, market), lambda state: SimVenue.restore(config, market, state), market, decide
    )


@dataclass(frozen=True, slots=True)
class _Paper:
    """Everything one paper session is made of, and how it is put together."""

    plan: StoredPlan
    data: MarketData
    config: KernelConfig
    strategy: Strategy
    place: SessionFolder
    options: PaperOptions

    @property
    def header(self) -> JournalHeader:
        from quant.native.kernel import KERNEL_HASH

        return JournalHeader(self.plan.fingerprint, KERNEL_HASH, self.strategy.fingerprint)

    def keep_plan(self) -> None:
        path = self.place.plan
        if not path.exists():
            text = self.plan.to_json()
            draft = path.with_suffix(".new")
            draft.write_bytes(text if isinstance(text, bytes) else str(text).encode())
            draft.replace(path)

    def ports(self, journal: FileJournal) -> Ports:
        from quant.native.kernel import Kernel

        market, every = self.data.market, self.options.snapshot_every
        return Ports(
            clock=ReplayClock(market, self.options.rows, pace=self.options.pace),
            feed=ReplayFeed(market, self.plan.decide),
            venue=simulated_venue(self.config, self.data, self.plan.decide),
            journal=journal,
            strategy=self.strategy,
            control=FileControl(self.place.control),
            data=self.data,
            snapshots=FileSnapshots(self.place.snapshot, self.header) if every else None,
            restore_kernel=lambda state: Kernel.restore(self.config, market, state),
            snapshot_every=max(1, every),
        )

    def run(self, ports: Ports, on_day: OnDay | None) -> SessionResult:
        """Run the session and keep its status file, however it ends."""
        from quant.native.kernel import Kernel

        now, total = wall_time(), self.data.market.D
        first = SessionStatus(
            self.place.name, "starting", own_pid(), now, now, total=total, plan=self.plan.fingerprint
        )
        status = StatusFile(self.place.status, first, wall_time)
        kernel = Kernel(self.config, self.data.market)
        try:
            result = run_session(self.plan, ports, kernel, on_close=self._reporter(status, on_day))
        except Exception as error:
            _last_words(status, "failed", str(error) or type(error).__name__)
            raise
        except BaseException:  # Ctrl-C or a signal: told to stop, not failed
            _last_words(status, "stopped")
            raise
        status.write(state="finished", done=result.sessions, **self._facts(result.kernel))
        return result

    def _reporter(self, status: StatusFile, on_day: OnDay | None) -> OnClose:
        def report(day: DayReport, book: Book) -> None:
            status.write(
                state=day.state,
                done=day.index + 1,
                last_session=day.session.isoformat(),
                orders=day.orders,
                fills=day.fills,
                **self._facts(book),
            )
            if on_day is not None:
                on_day(day)

        return report

    def _facts(self, book: Book) -> dict[str, Any]:
        halt = read_halt(self.place.control)
        held = holdings(book, self.data)
        return {
            "nav": book.nav / MONEY_SCALE,
            "cash": book.cash / MONEY_SCALE,
            "halted": book.halted,
            "paused": book.paused,
            "halt_reason": halt.reason if halt is not None else "risk limit" if book.halted else None,
            "state_hash": book.state_hash(),
            "positions": tuple(HeldPosition(p.code, p.quantity, p.sellable, p.value) for p in held),
        }


def _last_words(status: StatusFile, state: State, error: str | None = None) -> None:
    """The status of a session that ends badly; where even that cannot be written, the error itself tells."""
    with contextlib.suppress(QuantError):
        status.write(state=state, error=error)
