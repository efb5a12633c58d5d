"""The journal file: what it refuses, what it cuts, and that a frame is durable before append returns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_fakes import FakeMarket

from quant.core.errors import QuantError, StateConflict
from quant.native.batch import Batch, BatchKind, ControlKind, Phase
from quant.trading.journal import FileJournal, JournalHeader, MemoryJournal
from quant.trading.ports import Origin

HEADER = JournalHeader("p" * 64, "k" * 64, "s" * 64)
MARKET = FakeMarket()


def opened(path: Path, header: JournalHeader = HEADER) -> FileJournal:
    return FileJournal(path, header, MARKET)  # type: ignore[arg-type]


def intents(weight: int) -> Batch:
    return Batch.of(BatchKind.INTENTS, 5, Phase.CLOSE, 0, instrument=[1], weight=[weight])


def test_what_was_appended_is_replayed(tmp_path: Path) -> None:
    journal = opened(tmp_path / "j")
    assert journal.append(Batch.slice(MARKET, 2, Phase.OPEN)) == 0  # type: ignore[arg-type]
    assert journal.append(intents(7), origin=Origin.DECISION, state=b'{"a":1}') == 1
    journal.close()
    first, second = opened(tmp_path / "j").replay()
    assert (first.batch.t, first.batch.phase, first.batch.market) == (2, Phase.OPEN, MARKET)
    assert (second.origin, second.state, second.index) == (Origin.DECISION, b'{"a":1}', 1)
    assert second.batch.columns["weight"].tolist() == [7]


def test_a_frame_is_synced_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = opened(tmp_path / "j")
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    journal.append(intents(1))
    assert sizes == [(tmp_path / "j").stat().st_size]


@given(st.lists(st.integers(0, 2**40), max_size=6), st.data())
def test_any_cut_leaves_the_whole_frames(
    tmp_path_factory: pytest.TempPathFactory, weights: list[int], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = opened(path)
    ends = [path.stat().st_size]
    for weight in weights:
        journal.append(intents(weight))
        ends.append(path.stat().st_size)
    cut = data.draw(st.integers(ends[0], ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    again = opened(path)
    whole = sum(end <= cut for end in ends) - 1
    assert [e.batch.columns["weight"].tolist()[0] for e in again.replay()] == weights[:whole]
    again.append(intents(99))
    assert len(opened(path)) == whole + 1


@pytest.mark.parametrize(
    ("field", "code"),
    [("plan", "journal.plan"), ("kernel", "journal.kernel"), ("strategy", "journal.strategy")],
)
def test_another_owner_is_refused(tmp_path: Path, field: str, code: str) -> None:
    opened(tmp_path / "j").close()
    facts = {"plan": HEADER.plan, "kernel": HEADER.kernel, "strategy": HEADER.strategy, field: "x" * 64}
    with pytest.raises(StateConflict) as caught:
        opened(tmp_path / "j", JournalHeader(**facts))
    assert caught.value.fault.code == code
    assert caught.value.exit_code == 5
    assert "--fresh" in (caught.value.fault.hint or "")


def test_a_newer_format_is_refused_with_the_fix(tmp_path: Path) -> None:
    opened(tmp_path / "j").close()
    content = bytearray((tmp_path / "j").read_bytes())
    content[4] = 9
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(StateConflict) as caught:
        opened(tmp_path / "j")
    assert (caught.value.fault.code, caught.value.fault.found) == ("journal.newer", "format 9")
    assert caught.value.fault.hint


@pytest.mark.parametrize(
    "content", [b"", b"QJ", b"PK\x03\x04 something else", b"QJRN\x01\0\0\0\xff\0\0\0\0\0\0\0"]
)
def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(StateConflict):
        opened(tmp_path / "j")
    assert (tmp_path / "j").read_bytes() == content


def test_a_damaged_length_is_not_taken_for_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = opened(path)
    ends = [path.stat().st_size]
    for weight in (1, 2, 3):
        journal.append(intents(weight))
        ends.append(path.stat().st_size)
    journal.close()
    content = bytearray(path.read_bytes())
    content[ends[1] + 2] ^= 0x40  # the second frame now claims to reach far past the end
    path.write_bytes(content)
    with pytest.raises(StateConflict) as caught:
        opened(path)
    assert caught.value.fault.code == "journal.damaged"
    assert path.read_bytes() == content


def test_a_slice_of_other_data_is_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path / "j")
    journal.append(Batch.slice(FakeMarket(sessions=9), 0, Phase.OPEN))  # type: ignore[arg-type]
    with pytest.raises(StateConflict) as caught:
        list(journal.replay())
    assert caught.value.fault.code == "journal.market"


def test_the_memory_journal_gives_the_same_entries() -> None:
    journal = MemoryJournal(MARKET)  # type: ignore[arg-type]
    journal.append(Batch.control(ControlKind.HALT, 3, Phase.OPEN, 0, note="why"))
    journal.append(intents(4), origin=Origin.REACTION, state=b"{}")
    assert [(e.index, e.origin, e.state) for e in journal.replay(1)] == [(1, Origin.REACTION, b"{}")]
    assert next(journal.replay()).batch.note == "why"


def test_a_full_disk_is_an_error_with_its_fix_and_leaves_whole_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path / "j")
    journal.append(intents(1))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(QuantError) as caught:
        journal.append(intents(2))
    monkeypatch.undo()
    assert caught.value.fault.code == "session.storage"
    assert "No space left" in caught.value.fault.message
    assert len(opened(tmp_path / "j")) >= 1
