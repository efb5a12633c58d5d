"""A session cut anywhere goes on to the same end: after any journal entry, at any byte of a torn tail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_case import Plan, Restless, case_config, case_data

from quant.core.errors import QuantError, StateConflict
from quant.trading import PaperOptions, PythonStrategy, SessionFolder, run_paper
from quant.trading.journal import FileJournal, JournalHeader
from quant.trading.ports import Origin

SESSIONS = 14
SOAK = os.environ.get("QUANT_SOAK") == "1"
DATA = case_data(sessions=SESSIONS, instruments=8, seed=2)
ROWS = np.arange(0, SESSIONS, 2, dtype="i4")


def run(folder: Path, decide: str, snapshot_every: int) -> Any:
    config = case_config(
        SESSIONS,
        decide=decide,
        fill_at="close" if decide == "before_close" else "open",
        participation=None if decide == "after_close" else 20_000_000,
    )
    return run_paper(
        Plan(decide=decide),
        DATA,
        config,
        PythonStrategy(Restless()),
        folder,
        options=PaperOptions(rows=ROWS, snapshot_every=snapshot_every),
    )


def frames(path: Path) -> list[int]:
    """Offsets where frames begin, and the end."""
    head = path.read_bytes()
    at = 16 + int.from_bytes(head[8:12], "little")
    found = [at]
    while at < len(head):
        at += 8 + int.from_bytes(head[at : at + 4], "little")
        found.append(at)
    return found


@pytest.fixture(scope="module", params=["after_close", "before_close"])
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Any]:
    folder = tmp_path_factory.mktemp("session") / request.param
    return request.param, folder, run(folder, request.param, 4)


@pytest.fixture(autouse=True, scope="module")
def no_waiting_for_the_disk() -> Iterator[None]:
    """Only the bytes matter here, not their durability."""
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "fsync", lambda _handle: None)
    yield
    patch.undo()


def cut(source: Path, target: Path, end: int, *, snapshot: bool) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    (target / "journal.bin").write_bytes((source / "journal.bin").read_bytes()[:end])
    if snapshot:
        shutil.copy(source / "snapshot.bin", target)
    return target


def test_the_case_has_reactions_and_partial_days(finished: tuple[str, Path, Any]) -> None:
    decide, folder, result = finished
    journal = _journal(folder)
    origins = [entry.origin for entry in journal.replay()]
    assert origins.count(Origin.DECISION) == len(ROWS)
    assert origins.count(Origin.REACTION) > 3
    assert result.sessions == SESSIONS, decide


def test_cut_after_any_entry(finished: tuple[str, Path, Any], tmp_path: Path) -> None:
    decide, folder, result = finished
    for end in frames(folder / "journal.bin"):
        again = run(cut(folder, tmp_path / "s", end, snapshot=False), decide, 0)
        assert again.chain == result.chain, end
        assert (tmp_path / "s" / "journal.bin").read_bytes() == (folder / "journal.bin").read_bytes(), end


def test_cut_after_any_entry_that_follows_the_snapshot(
    finished: tuple[str, Path, Any], tmp_path: Path
) -> None:
    decide, folder, result = finished
    bounds = frames(folder / "journal.bin")
    covered = _covered(folder)
    assert 0 < covered < len(bounds) - 4
    for end in bounds[covered:]:
        again = run(cut(folder, tmp_path / "s", end, snapshot=True), decide, 4)
        assert again.chain == result.chain, end
        assert again.replayed == bounds.index(end) - covered


@pytest.mark.parametrize("snapshot", [False, True])
@given(data=st.data())
def test_a_tail_torn_at_any_byte(
    finished: tuple[str, Path, Any],
    tmp_path_factory: pytest.TempPathFactory,
    snapshot: bool,
    data: st.DataObject,
) -> None:
    decide, folder, result = finished
    bounds = frames(folder / "journal.bin")
    first = bounds[-8] if not snapshot else max(bounds[-8], bounds[_covered(folder)])
    end = data.draw(st.integers(first, bounds[-1]), label="cut at byte")
    junk = data.draw(st.sampled_from([b"", b"\0" * 9, b"\0" * 4096]), label="what the file system left")
    target = cut(folder, tmp_path_factory.mktemp("torn") / "s", end, snapshot=snapshot)
    with (target / "journal.bin").open("ab") as file:
        file.write(junk)
    again = run(target, decide, 4)
    assert again.chain == result.chain
    assert (target / "journal.bin").read_bytes() == (folder / "journal.bin").read_bytes()


def test_every_byte_of_the_last_frames(finished: tuple[str, Path, Any], tmp_path: Path) -> None:
    """Exhaustive at the level of the file: what is left is exactly the whole frames before the cut."""
    _, folder, _ = finished
    bounds = frames(folder / "journal.bin")
    for end in range(bounds[-6], bounds[-1]):
        target = cut(folder, tmp_path / "s", end, snapshot=False)
        journal = _journal(target)
        assert len(journal) == sum(b <= end for b in bounds) - 1
        assert (target / "journal.bin").stat().st_size == max(b for b in bounds if b <= end)


def test_damage_with_data_behind_it_is_refused(finished: tuple[str, Path, Any], tmp_path: Path) -> None:
    decide, folder, _ = finished
    bounds = frames(folder / "journal.bin")
    target = cut(folder, tmp_path / "s", bounds[-1], snapshot=False)
    content = bytearray((target / "journal.bin").read_bytes())
    content[bounds[5] + 20] ^= 1
    (target / "journal.bin").write_bytes(content)
    with pytest.raises(StateConflict) as caught:
        run(target, decide, 0)
    assert caught.value.fault.code == "journal.damaged"
    assert caught.value.exit_code == 5
    assert (target / "journal.bin").read_bytes() == content


def test_a_journal_shorter_than_its_snapshot_is_refused(
    finished: tuple[str, Path, Any], tmp_path: Path
) -> None:
    decide, folder, _ = finished
    bounds = frames(folder / "journal.bin")
    target = cut(folder, tmp_path / "s", bounds[_covered(folder) - 1], snapshot=True)
    with pytest.raises(StateConflict) as caught:
        run(target, decide, 4)
    assert caught.value.fault.code == "journal.lost"


def test_an_unreadable_snapshot_is_only_a_longer_replay(
    finished: tuple[str, Path, Any], tmp_path: Path
) -> None:
    decide, folder, result = finished
    bounds = frames(folder / "journal.bin")
    target = cut(folder, tmp_path / "s", bounds[-3], snapshot=True)
    content = bytearray((target / "snapshot.bin").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (target / "snapshot.bin").write_bytes(content)
    again = run(target, decide, 0)
    assert again.replayed == len(bounds) - 3
    assert again.chain == result.chain


def test_a_replay_that_diverges_is_refused(finished: tuple[str, Path, Any], tmp_path: Path) -> None:
    """The same journal under another cost table: the exchange would not have answered so."""
    decide, folder, _ = finished
    target = cut(folder, tmp_path / "s", frames(folder / "journal.bin")[-1], snapshot=False)
    config = case_config(
        SESSIONS, decide=decide, fill_at="close" if decide == "before_close" else "open", slippage_ticks=3
    )
    with pytest.raises(QuantError) as caught:
        run_paper(
            Plan(decide=decide),
            DATA,
            config,
            PythonStrategy(Restless()),
            target,
            options=PaperOptions(rows=ROWS),
        )
    assert caught.value.fault.code == "journal.diverged"
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(("change", "code"), [("plan", "journal.plan"), ("data", "journal.market")])
def test_another_plan_or_other_data_is_refused(
    finished: tuple[str, Path, Any], tmp_path: Path, change: str, code: str
) -> None:
    decide, folder, _ = finished
    target = cut(folder, tmp_path / "s", frames(folder / "journal.bin")[-1], snapshot=False)
    plan, data = Plan(decide=decide), DATA
    if change == "plan":
        plan = replace(plan, fingerprint="d" * 64)
    else:
        data = case_data(sessions=SESSIONS, instruments=8, seed=9)
    config = case_config(SESSIONS, decide=decide, fill_at="close" if decide == "before_close" else "open")
    with pytest.raises(StateConflict) as caught:
        run_paper(plan, data, config, PythonStrategy(Restless()), target, options=PaperOptions(rows=ROWS))
    assert caught.value.fault.code == code
    assert caught.value.fault.hint


def _covered(folder: Path) -> int:
    """Entries that the snapshot covers, from its JSON part."""
    import json

    content = (folder / "snapshot.bin").read_bytes()
    length = int.from_bytes(content[8:12], "little")
    return int(json.loads(content[16 : 16 + length])["entries"])


def _journal(folder: Path) -> FileJournal:
    from quant.native.kernel import KERNEL_HASH

    return FileJournal(
        SessionFolder(folder).journal, JournalHeader(Plan().fingerprint, KERNEL_HASH), DATA.market
    )
