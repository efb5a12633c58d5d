"""What every journal and every snapshot store must do, whichever adapter it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.native.batch import Batch, BatchKind, ControlKind, Phase
from quant.native.kernel import Market
from quant.trading.journal import FileJournal, JournalHeader, MemoryJournal
from quant.trading.ports import Journal, Origin, Snapshot, Snapshots
from quant.trading.snapshots import FileSnapshots, MemorySnapshots

HEADER = JournalHeader("p" * 64, "k" * 64)
NAMES = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap", "volume")
MARKET = Market.from_arrays(
    sessions=np.array([19724], "i4"),
    instants=np.array([[1, 2, 3, 4]], "i8"),
    flags=np.ones((1, 1), "u4"),
    **{name: np.full((1, 1), 10_000, "i8") for name in NAMES},
)
SNAPSHOT = Snapshot(3, b"kernel", b"", b'{"a": 1}', 9, 8, 2, 0, 3)


@pytest.fixture(params=["file", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    if request.param == "file":
        return FileJournal(tmp_path / "journal.bin", HEADER, MARKET)
    return MemoryJournal(MARKET)


@pytest.fixture(params=["file", "memory"])
def snapshots(request: pytest.FixtureRequest, tmp_path: Path) -> Snapshots:
    if request.param == "file":
        return FileSnapshots(tmp_path / "snapshot.bin", HEADER)
    return MemorySnapshots()


def inputs() -> list[tuple[Batch, Origin, bytes]]:
    intents = Batch.of(BatchKind.INTENTS, 4, Phase.CLOSE, 0, instrument=[0], weight=[10**9])
    reports = Batch.of(BatchKind.REPORTS, 4, Phase.CLOSE, 0, order_id=[1, 2], kind=[0, 3], reason=[0, 20])
    return [
        (Batch.slice(MARKET, 0, Phase.CLOSE), Origin.INPUT, b""),
        (Batch.control(ControlKind.HALT, 4, Phase.CLOSE, 0, note="止"), Origin.INPUT, b""),
        (intents, Origin.DECISION, b'{"seen":1}'),
        (Batch.of(BatchKind.INTENTS, 4, Phase.CLOSE, 0), Origin.REACTION, b"{}"),
        (reports, Origin.REFUSAL, b""),
    ]


def test_entries_come_back_whole_and_in_order(journal: Journal) -> None:
    given = inputs()
    assert [journal.append(b, origin=o, state=s) for b, o, s in given] == list(range(len(given)))
    assert len(journal) == len(given)
    back = list(journal.replay())
    assert [(e.batch.encode(), e.origin, e.state) for e in back] == [(b.encode(), o, s) for b, o, s in given]
    assert [e.index for e in journal.replay(3)] == [3, 4]
    assert list(journal.replay(len(given))) == []
    assert back[0].batch.market is MARKET


def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert len(journal) == 0
    assert list(journal.replay()) == []


def test_the_newest_snapshot_is_given_back(snapshots: Snapshots) -> None:
    assert snapshots.load() is None
    snapshots.save(SNAPSHOT)
    newer = Snapshot(9, b"", b"venue", b"", 19, 18, 2, 5, 1)
    snapshots.save(newer)
    assert snapshots.load() == newer


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: b"QSNX" + content[4:],
        lambda content: content[:4] + b"\x09" + content[5:],
        lambda content: content[:-3] + b"???",
    ],
)
def test_an_unfit_snapshot_file_is_none(tmp_path: Path, change: Callable[[bytes], Any]) -> None:
    path = tmp_path / "snapshot.bin"
    store = FileSnapshots(path, HEADER)
    store.save(SNAPSHOT)
    assert store.load() == SNAPSHOT
    assert FileSnapshots(path, JournalHeader("q" * 64, "k" * 64)).load() is None
    path.write_bytes(change(path.read_bytes()))
    assert store.load() is None
