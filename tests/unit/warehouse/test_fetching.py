"""Who is asked beside whom, in which order rows are stored, and what a source's failure costs."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from quant.core.errors import QuantError, TransientError
from quant.warehouse import fetching
from quant.warehouse.ingest import IngestReport
from quant.warehouse.lake import Lake
from quant.warehouse.planning import SyncItem
from quant.warehouse.sources.settings import SourceSettings, TableSettings

START, END = date(2024, 1, 2), date(2024, 1, 5)
PROVIDERS = {"a": "tushare", "b": "baostock", "c": "baostock", "d": "files"}


def item(name: str, table: str = "bars_1d", start: date = START) -> SyncItem:
    settings = TableSettings(table, table, tuple(PROVIDERS))
    source = SourceSettings(name, PROVIDERS[name], codes=("600519.SH",))
    return SyncItem(settings, source, "hash", start, END, fetch=True, golden=False)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was stored, in order; ``ask`` is what asking does."""
    told: dict[str, Any] = {"stored": [], "ask": lambda item: None}

    def stored(item: SyncItem, _lake: Lake, **_: object) -> IngestReport:
        told["stored"].append(item.source.name)
        return IngestReport(item.table.name, item.label, item.start, item.end, 1, 0, 0, True, 1, {})

    monkeypatch.setattr(fetching, "ask", lambda item, _lake, _world: told["ask"](item))
    monkeypatch.setattr(fetching, "ingest", stored)
    return told


def test_a_slow_vendor_does_not_keep_the_others_waiting(told: dict[str, Any], tmp_path: Path) -> None:
    free = threading.Event()
    told["ask"] = lambda item: free.wait(10) if item.source.name == "a" else None
    done = fetching.ingest_table([item(n) for n in PROVIDERS], Lake(tmp_path), run="r")
    others = {next(done)[0].label for _ in range(3)}
    assert others == {"b", "c", "d"} and "a" not in told["stored"]
    free.set()
    assert [each.label for each, _ in done] == ["a"]


def test_a_client_is_never_asked_twice_at_a_time(told: dict[str, Any], tmp_path: Path) -> None:
    busy = threading.Lock()

    def alone(item: SyncItem) -> None:
        if item.source.provider == "baostock":
            assert busy.acquire(blocking=False)
            threading.Event().wait(0.02)
            busy.release()

    told["ask"] = alone
    items = [item(name, start=start) for name in PROVIDERS for start in (START, END)]
    done = list(fetching.ingest_table(items, Lake(tmp_path), run="r"))
    assert len(done) == 8 and not [each for each in done if isinstance(each[1], Exception)]


def test_instruments_are_stored_in_the_order_of_the_plan(told: dict[str, Any], tmp_path: Path) -> None:
    free = threading.Event()

    def ask(item: SyncItem) -> None:
        if item.source.name == "a":
            free.wait(10)
        elif item.source.name == "c":
            free.set()

    told["ask"] = ask
    threading.Timer(0.1, free.set).start()
    items = [item(name, "instruments") for name in PROVIDERS]
    list(fetching.ingest_table(items, Lake(tmp_path), run="r"))
    assert told["stored"] == ["a", "b", "c", "d"]


def test_a_source_that_cannot_be_reached_is_logged_and_asked_no_more(
    told: dict[str, Any], tmp_path: Path
) -> None:
    asked: list[str] = []

    def ask(item: SyncItem) -> None:
        asked.append(item.source.name)
        if item.source.name == "a":
            raise TransientError("vendor.unreachable", "a: daily could not be fetched")

    told["ask"] = ask
    lake = Lake(tmp_path / "lake")
    items = [item(name, start=start) for name in ("a", "b") for start in (START, END)]
    failed = [each for each, outcome in fetching.ingest_table(items, lake, run="r")
              if isinstance(outcome, QuantError)]  # fmt: skip
    assert [each.label for each in failed] == ["a"] and sorted(asked) == ["a", "b", "b"]
    assert told["stored"] == ["b", "b"]
    log = lake.read("sync_log").select("source", "status", "golden", "facts")
    facts = '{"error": "vendor.unreachable", "message": "a: daily could not be fetched"}'
    assert log.rows() == [("a", "failed", False, facts)]


def test_a_bug_while_asking_is_not_swallowed(told: dict[str, Any], tmp_path: Path) -> None:
    def ask(_item: SyncItem) -> None:
        raise pl.exceptions.ComputeError("a bug")

    told["ask"] = ask
    with pytest.raises(pl.exceptions.ComputeError):
        list(fetching.ingest_table([item("a"), item("b")], Lake(tmp_path), run="r"))
