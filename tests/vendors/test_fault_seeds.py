"""Baostock's real client against a server that misbehaves at random: what is stored is whole, or it is said
why not. (Tushare's seeds are in test_tushare.py.)
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from baostock_server import BaostockServer
from desks import sync_desk, write_desk
from soak import SOAK

from quant.core.errors import QuantError
from quant.pipelines.workspace import Workspace
from quant.warehouse.audit import Listing, TableRule, run_check
from quant.warehouse.audit.factors import audit_factors
from quant.warehouse.lake import Lake
from quant.warehouse.sources.calling import CallingSource
from quant.warehouse.sources.doubts import SURE
from quant.warehouse.sources.isolated import IsolatedSdk

SEEDS = range(500 if SOAK else 20)
START, END = date(2021, 3, 1), date(2021, 5, 31)
TABLES = ("instruments", "bars_1d", "adjustment_factors", "corporate_actions")
SPARSE = ("adjustment_factors", "corporate_actions")
"""A code may truly have no events: that some are missing shows in the bars of the same vendor."""
LINE = ("drop", "cut", "damage", "json", "page", "hang", "10001005", "10002007")
"""What happens to the line or to the form of an answer."""
CONTENT = ("empty", "short", "repeated", "wrong_type", "reordered", "lost_column", "of_another", "later")
"""What an answer of the right form says wrongly."""
SOURCE = """\
apiVersion: quant/v1
kind: source
name: bao
provider: baostock
license: for tests
defaults: [baostock]
options: {{host: 127.0.0.1, port: {port}, by: code}}
limits: {{per_minute: 100000, per_day: 1000000, timeout: 0.5, pause: 0.01, attempts: 3}}
"""


class Dice:
    """Stands where the server looks for its next fault."""

    def __init__(self, seed: int, rate: float) -> None:
        self._random = random.Random(seed)
        self._rate = rate
        self._left = 0
        self._kind = ""
        self.content = ""
        self.planted: list[str] = []

    def __bool__(self) -> bool:
        return True

    def popleft(self) -> str:
        """The fault of the next answer; some stay for several."""
        self.content = ""
        if self._left:
            self._left -= 1
        elif self._random.random() < self._rate:
            self._kind = self._random.choice((*LINE, *CONTENT))
            self._left = self._random.choice((0, 0, 0, 1, 6)) if self._kind != "hang" else 0
        else:
            return ""
        self.planted.append(self._kind)
        if self._kind in LINE:
            return self._kind
        self.content = self._kind
        return ""


class Unreliable(BaostockServer):
    """A server whose answers are thrown with dice."""

    dice: Any = None
    silent: tuple[str, ...] = ()
    """Questions that are answered without rows."""

    def misbehave(self, seed: int, rate: float) -> None:
        self.dice = self.behaviour.faults = Dice(seed, rate)  # type: ignore[assignment]

    def rows(self, function: str, args: Sequence[str]) -> tuple[list[str], list[list[str]], list[str]]:
        if self.dice.content == "of_another" and function == "query_history_k_data_plus":
            other = next(code for code in ("sh.600000", "sz.000001", "sh.601398") if code != args[0])
            fields, rows, _ = super().rows(function, [other, *args[1:]])
            return fields, rows, list(args)
        fields, rows, echo = super().rows(function, args)
        if function in self.silent:
            rows = []
        match self.dice.content:
            case "empty":
                rows = []
            case "short" if len(rows) >= SURE:  # of fewer rows nobody can say how many there should be
                rows = rows[: len(rows) // 10]
            case "repeated":
                rows = [*rows, *rows]
            case "wrong_type":
                rows = [["abc" if name in ("close", "ipoDate") else cell
                         for name, cell in zip(fields, row, strict=True)] for row in rows]  # fmt: skip
            case "reordered":
                fields, rows = fields[::-1], [row[::-1] for row in rows]
            case "lost_column":
                fields, rows = fields[:-1], [row[:-1] for row in rows]
            case "later":
                rows = [["2031" + cell[4:] if name == "date" else cell
                         for name, cell in zip(fields, row, strict=True)] for row in rows]  # fmt: skip
        return fields, rows, echo


def synced(root: Path, server: BaostockServer) -> tuple[Workspace, list[QuantError]]:
    desk = write_desk(root, "bao", SOURCE.format(port=server.port), START, END)
    return desk, sync_desk(desk, *TABLES)[1]


def plain(desk: Workspace, table: str) -> pl.DataFrame:
    return Lake(desk.lake).read(table).drop("recorded_at", "payload", "source").sort(pl.all())


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANT_QUOTA_DB", str(tmp_path / "quota.db"))


@pytest.fixture(scope="module")
def server() -> Iterator[Unreliable]:
    """One for all seeds, and the vendor's client stays open between them: it takes seconds to start."""
    idle: list[Any] = []
    opened = IsolatedSdk.__init__

    def shared(self: IsolatedSdk, *args: Any, **kwargs: Any) -> None:
        opened(self, *args, **kwargs)
        self._idle = idle

    running = Unreliable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IsolatedSdk, "__init__", shared)
        patch.setattr(IsolatedSdk, "close", lambda self: None)
        patch.setattr(CallingSource, "_pause", lambda self, state: 0.01)  # a minute where a quota is full
        yield running
    for worker in idle:
        worker.kill()
    running.stop()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, server: Unreliable) -> Workspace:
    """A workspace that was synced from the server while it behaved."""
    folder = tmp_path_factory.mktemp("whole")
    server.misbehave(0, 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANT_QUOTA_DB", str(folder / "quota.db"))
        desk, failures = synced(folder, server)
    assert failures == []
    return desk


@pytest.fixture(scope="module")
def faultless(known: Workspace) -> dict[str, pl.DataFrame]:
    rows = {name: plain(known, name) for name in TABLES}
    assert rows["bars_1d"].height > 500 and rows["adjustment_factors"]["factor"].n_unique() > 2
    assert rows["corporate_actions"].height > 2
    assert shown_by_each_other(Lake(known.lake)) == 0
    return rows


def shown_by_each_other(lake: Lake) -> int:
    """How many steps of factors the events do not explain, and reference prices neither of both."""
    found = audit_factors(lake, ["bao"], START, END, audit_id="a", stamp=datetime(2026, 1, 1, tzinfo=UTC))
    bars, events = lake.read("bars_1d"), lake.read("corporate_actions")
    listing = Listing(lake.read("instruments"), START, END, events=events)
    chain = run_check(TableRule("pre_close_chain"), "bars_1d", bars, listing)
    return (found.open.height if found else 0) + chain.failing


def test_days_without_any_event_are_stored_as_such(tmp_path: Path, server: Unreliable) -> None:
    server.misbehave(0, 0.0)
    day = date(2021, 3, 2)
    desk = write_desk(tmp_path, "bao", SOURCE.format(port=server.port), day, day)
    assert sync_desk(desk, *TABLES)[1] == []
    lake = Lake(desk.lake)
    assert [lake.count(name) for name in SPARSE] == [0, 0]
    assert lake.count("bars_1d") > 5


@pytest.mark.parametrize(
    ("question", "table"),
    [("query_dividend_data", "corporate_actions"), ("query_adjust_factor", "adjustment_factors")],
)
def test_silence_about_distributions_that_the_bars_show_is_refused(
    tmp_path: Path, server: Unreliable, monkeypatch: pytest.MonkeyPatch, question: str, table: str
) -> None:
    server.misbehave(0, 0.0)
    monkeypatch.setattr(server, "silent", (question,))
    desk, failures = synced(tmp_path, server)
    (error,) = failures
    assert (error.exit_code, error.fault.code) == (3, "vendor.silent")
    assert table in error.fault.message and "empty: allow" in str(error.fault.hint)
    lake = Lake(desk.lake)
    assert lake.count(table) == 0 and lake.count("bars_1d") > 500
    monkeypatch.setattr(server, "silent", ())
    assert sync_desk(desk, *TABLES)[1] == []
    assert lake.count(table) > 2


def test_a_vendor_that_is_declared_to_keep_few_events_is_believed(
    tmp_path: Path, server: Unreliable, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.misbehave(0, 0.0)
    monkeypatch.setattr(server, "silent", ("query_dividend_data",))
    told = SOURCE + "datasets: {{corporate_actions: {{empty: allow}}}}\n"
    desk = write_desk(tmp_path, "bao", told.format(port=server.port), START, END)
    assert sync_desk(desk, *TABLES)[1] == []
    assert Lake(desk.lake).count("corporate_actions") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_stored_is_whole_or_it_is_said_why_not(
    seed: int, tmp_path: Path, server: Unreliable, known: Workspace, faultless: dict[str, pl.DataFrame]
) -> None:
    server.misbehave(seed, rate=(0.02, 0.1, 0.3)[seed % 3])
    desk, failures = synced(tmp_path, server)
    for error in failures:
        assert error.exit_code in (3, 4), (error.fault, server.dice.planted)
        assert error.fault.message and error.fault.expected and error.fault.found
    found = {name: plain(desk, name) for name in TABLES}
    doubtful = [name for name in TABLES if found[name].height and not found[name].equals(faultless[name])]
    said = [error.fault.code for error in failures], server.dice.planted
    assert set(doubtful) <= set(SPARSE), (doubtful, *said)
    assert failures or all(found[name].height for name in TABLES), said
    bars_first = found["bars_1d"].equals(faultless["bars_1d"])
    assert not (doubtful and bars_first), (doubtful, *said)  # they have seen the distributions
    if doubtful:  # once the others are whole, they show it
        server.misbehave(0, 0.0)
        assert synced(tmp_path, server)[1] == []
        assert shown_by_each_other(Lake(desk.lake)) > 0, (doubtful, *said)
