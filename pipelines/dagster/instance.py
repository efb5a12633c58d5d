"""The workspace's Dagster instance: its home, its storage, and runs that a kill left behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from sqlalchemy import event
from sqlalchemy.engine import Engine

from quant.core.errors import StateConflict
from quant.core.time import NS_PER_SECOND, utc_now
from quant.warehouse.files import write_atomic
from quant.warehouse.lake import Lake
from quant.warehouse.lock import WriterLock

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace

ORIGIN: Final = "quant/origin"
COMMAND_LINE: Final = "command line"
EVENT_BATCH: Final = "50"
STORAGES: Final = ("runs", "events", "schedules")
LEFT_BEHIND_NS: Final = 600 * NS_PER_SECOND
"""Databases in the making that are older than this were left by a kill."""
_UNFINISHED: Final = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
_KEEP_TICKS_DAYS: Final = {"skipped": 7, "started": 7, "success": 90, "failure": 90}


def settings(home: Path) -> dict[str, Any]:
    """dagster.yaml: SQLite below ``home``, one event log for all runs (a file for each run costs ten times
    the commits), one run at a time because the lake has one writer, nothing sent anywhere.
    """
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "freshness": {"enabled": True},
        "run_storage": _sqlite("runs", "SqliteRunStorage", home / "runs"),
        "event_log_storage": _sqlite("event_log", "ConsolidatedSqliteEventLogStorage", home / "events"),
        "schedule_storage": _sqlite("schedules", "SqliteScheduleStorage", home / "schedules"),
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
        "concurrency": {"runs": {"max_concurrent_runs": 1}},
        "retention": {name: {"purge_after_days": _KEEP_TICKS_DAYS} for name in ("schedule", "sensor")},
    }


def _sqlite(part: str, name: str, folder: Path) -> dict[str, Any]:
    return {"module": f"dagster._core.storage.{part}", "class": name, "config": {"base_dir": str(folder)}}


def open_instance(desk: Workspace) -> dg.DagsterInstance:
    """The persistent instance of a workspace; made when it does not exist."""
    home = desk.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    file, text = home / "dagster.yaml", json.dumps(settings(home), indent=1) + "\n"  # JSON is YAML
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_atomic(file, text.encode())
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENT_BATCH)
    _commit_without_waiting()
    if any(not (home / part).is_dir() for part in STORAGES):
        _make_storages(home)
    return dg.DagsterInstance.from_config(str(home))


def _make_storages(home: Path) -> None:
    """Make the databases aside and move each into its place: one that a kill left half made could never be
    opened again.
    """
    aside = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
    try:
        (aside / "dagster.yaml").write_text(json.dumps(settings(aside)), encoding="utf-8")
        with dg.DagsterInstance.from_config(str(aside)) as instance:
            instance.get_runs_count()
            instance.event_log_storage.get_maximum_record_id()
            instance.all_instigator_state()
        for part in STORAGES:
            if not (home / part).is_dir():
                with contextlib.suppress(OSError):  # another process was faster
                    (aside / part).rename(home / part)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    for left in home.glob(".new-*"):
        if utc_now() - left.stat().st_mtime_ns > LEFT_BEHIND_NS:
            shutil.rmtree(left, ignore_errors=True)


def _commit_without_waiting() -> None:
    """A crash of the machine may cost the last events, never the database: the lake is the truth, and waiting
    for the disk at each of a run's hundred commits costs seconds.
    """
    if not event.contains(Engine, "connect", _relaxed):
        event.listen(Engine, "connect", _relaxed)


def _relaxed(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=NORMAL")


@contextlib.contextmanager
def kept_open(desk: Workspace) -> Iterator[None]:
    """Hold one connection to each database for the block. Dagster opens one for each question and closes it
    again, and closing the last one moves the whole write-ahead log into the database: hundreds of times a
    sync.
    """
    with contextlib.ExitStack() as held:
        for file in sorted(desk.dagster_home.glob("*/*.db")):
            connection = held.enter_context(contextlib.closing(sqlite3.connect(file, timeout=60)))
            connection.execute("select count(*) from sqlite_master").fetchone()
        yield


def server_lock(desk: Workspace) -> WriterLock:
    """Held while the UI of a workspace is served."""
    return WriterLock(desk.dagster_home / "server.lock")


def fail_orphans(instance: dg.DagsterInstance, *, command_line: bool, served: bool) -> list[str]:
    """Mark unfinished runs as failed whose process is gone; their ids.

    The caller knows that they are: whoever holds the writer lock knows it of ``command_line`` runs, whoever
    holds the server lock of runs that the UI ``served``.
    """
    runs = unfinished(instance, command_line=command_line, served=served)
    for run in runs:
        instance.report_run_failed(run, message="Its process ended before the run did.")
    return [run.run_id for run in runs]


def unfinished(
    instance: dg.DagsterInstance, *, command_line: bool = True, served: bool
) -> list[dg.DagsterRun]:
    """Runs that have begun and not ended: those of the command line, those that the UI ``served``."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=list(_UNFINISHED)))
    return [run for run in runs if (command_line if run.tags.get(ORIGIN) == COMMAND_LINE else served)]


def tidy(desk: Workspace, instance: dg.DagsterInstance, *, served: bool) -> None:
    """Mark runs as failed whose process was killed, so that they do not block the queue: those of the command
    line, and those that the UI ``served``. Skipped while something is writing: its own runs are alive.
    """
    if not unfinished(instance, served=served):
        return
    with contextlib.suppress(StateConflict), Lake(desk.lake).lock.hold("look for killed runs"):
        fail_orphans(instance, command_line=True, served=served)


def nobody_serves(desk: Workspace) -> bool:
    """Whether no UI of this workspace is running now."""
    try:
        with server_lock(desk).hold("look"):
            return True
    except StateConflict:
        return False
