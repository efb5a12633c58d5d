"""A sync as Dagster runs: what is recorded, what fails, what a kill leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster_case import broken_desk, simulated_desk

from quant.assets import golden_key, vendor_key
from quant.core.errors import StateConflict
from quant.pipelines.dagster import build_definitions, fail_orphans, open_instance
from quant.pipelines.dagster.instance import COMMAND_LINE, ORIGIN
from quant.pipelines.flows.sync import SyncOutcome, SyncRequest, sync
from quant.pipelines.sources import data_specs
from quant.pipelines.unreported import Unreported
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake
from quant.warehouse.lock import WriterLock

TABLES = [
    "instruments",
    "instrument_attributes",
    "calendar",
    "bars_1d",
    "corporate_actions",
    "adjustment_factors",
]


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, SyncOutcome]:
    desk = simulated_desk(tmp_path_factory.mktemp("desk"))
    return desk, sync(desk, SyncRequest())


def runs(desk: Workspace) -> list[dg.DagsterRun]:
    """Newest first."""
    with open_instance(desk) as instance:
        return list(instance.get_runs())


def materializations(desk: Workspace, key: dg.AssetKey) -> dict[str | None, dict[str, object]]:
    """Metadata by partition, the newest of each."""
    with open_instance(desk) as instance:
        records = instance.fetch_materializations(key, limit=50).records
    found: dict[str | None, dict[str, object]] = {}
    for record in records:
        event = record.asset_materialization
        assert event is not None
        found.setdefault(event.partition, {k: v.value for k, v in event.metadata.items()})
    return found


def test_one_run_a_table_all_of_them_good(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, outcome = synced
    assert outcome.exit_code == 0
    assert [line.table for line in outcome.tables] == TABLES
    recorded = [run for run in runs(desk) if run.tags.get(ORIGIN) == COMMAND_LINE]
    assert len(recorded) >= len(TABLES)
    assert {run.status for run in recorded} == {dg.DagsterRunStatus.SUCCESS}


def test_materialisations_say_what_the_lake_holds(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, _ = synced
    lake = Lake(desk.lake)
    bars = lake.read("bars_1d")
    for key in (golden_key("bars_1d"), vendor_key("mini", "bars_1d")):
        found = materializations(desk, key)
        assert set(found) == {"2023", "2024"}
        rows = {year: bars.filter(bars["session"].dt.year() == int(year)).height for year in ("2023", "2024")}
        assert {year: found[year]["dagster/row_count"] for year in rows} == rows
        assert found["2024"]["first"] == "2024-01-02"
        assert found["2024"]["last"] == "2024-02-29"
        assert found["2024"]["calls"] == 1
        assert found["2024"]["quarantined"] == 0
        assert found["2024"]["spec_commit"] == "not in git"
    golden = materializations(desk, golden_key("bars_1d"))["2024"]
    assert golden["table_version"] == lake.version("bars_1d")
    assert golden["content_hash"] == lake.content_hash("bars_1d")


def test_checks_are_recorded_as_evaluations(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, outcome = synced
    mine = {c.name: c for c in outcome.checks if c.table == "bars_1d"}
    assert set(mine) == {"contract", "unique", "ohlc_order", "within_limits", "rows_vs_calendar"}
    with open_instance(desk) as instance:
        for name in mine:
            key = dg.AssetCheckKey(golden_key("bars_1d"), name)
            latest = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
            assert latest.event is not None and latest.event.dagster_event is not None
            evaluation = latest.event.dagster_event.asset_check_evaluation_data
            assert evaluation.passed
            assert evaluation.metadata["failing"].value == 0


def test_a_second_sync_does_nothing_and_needs_no_dagster(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, _ = synced
    before = len(runs(desk))
    code = (
        "import sys; from pathlib import Path\n"
        "from quant.pipelines.workspace import Workspace\n"
        "from quant.pipelines.flows.sync import SyncRequest, sync\n"
        f"outcome = sync(Workspace.find(Path({str(desk.root)!r})), SyncRequest())\n"
        "print(len(outcome.tables), 'dagster' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]
    assert len(runs(desk)) == before


def test_a_broken_table_fails_alone_with_3_and_leaves_its_rows_in_quarantine(tmp_path: Path) -> None:
    desk = broken_desk(tmp_path)
    outcome = sync(desk, SyncRequest())
    assert outcome.exit_code == 3
    assert [(f.table, f.fault.code) for f in outcome.failures] == [("bars_1d", "quarantine.share")]
    assert {line.table for line in outcome.tables} == {"instruments", "calendar", "adjustment_factors"}
    status = {run.job_name: run.status for run in runs(desk)}
    assert status["sync_bars_tables"] == dg.DagsterRunStatus.FAILURE
    assert status["sync_factors_tables"] == dg.DagsterRunStatus.SUCCESS
    assert Lake(desk.lake).read("quarantine").height == 12
    assert materializations(desk, golden_key("bars_1d")) == {}
    assert Unreported.of(desk).read() == {}


def test_a_sync_and_any_other_writer_exclude_each_other(tmp_path: Path) -> None:
    desk = simulated_desk(tmp_path)
    other = WriterLock(desk.state / "writer.lock")
    with other.hold("a run of the UI"), pytest.raises(StateConflict) as caught:
        sync(desk, SyncRequest())
    assert caught.value.fault.code == "workspace.locked"
    assert "a run of the UI" in (caught.value.fault.found or "")


def test_a_run_of_the_ui_is_refused_while_a_sync_is_writing(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, _ = synced
    definitions = build_definitions(desk, data_specs(desk))
    job = definitions.resolve_job_def("sync_bars_tables")
    with WriterLock(desk.state / "writer.lock").hold("quant data sync"):
        result = job.execute_in_process(
            instance=dg.DagsterInstance.ephemeral(), partition_key="2024", raise_on_error=False
        )
    assert not result.success
    failure = next(e for e in result.all_events if e.is_step_failure).step_failure_data
    assert failure.user_failure_data is not None
    assert "another process is writing" in (failure.user_failure_data.description or "")


def test_a_partition_materialised_in_the_ui_is_fetched_again(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, _ = synced
    lake = Lake(desk.lake)
    before, logged = lake.content_hash("bars_1d"), lake.read("sync_log").height
    job = build_definitions(desk, data_specs(desk)).resolve_job_def("sync_bars_tables")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, partition_key="2024")
    assert result.success
    assert len(result.get_asset_materialization_events()) == 2
    assert len(result.get_asset_check_evaluations()) == 5
    assert lake.content_hash("bars_1d") == before
    fresh = lake.read("sync_log").sort("recorded_at")[logged:]
    assert fresh.select("table", "calls").rows() == [("bars_1d", 1)]
    assert fresh["start"][0].isoformat() == "2024-01-01"
    assert fresh["end"][0].isoformat() == "2024-02-29"
    assert json.loads(fresh["actor"][0])["command"] == "quant ui"


def test_a_whole_table_materialises_in_the_ui(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, _ = synced
    job = build_definitions(desk, data_specs(desk)).resolve_job_def("sync_reference_tables")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[golden_key("instruments"), vendor_key("mini", "instruments")]
        )
    assert result.success
    assert [e.asset_key for e in result.get_asset_materialization_events()] == [
        vendor_key("mini", "instruments"),
        golden_key("instruments"),
    ]


def test_the_golden_table_alone_is_taken_from_what_is_stored(synced: tuple[Workspace, SyncOutcome]) -> None:
    desk, _ = synced
    job = build_definitions(desk, data_specs(desk)).resolve_job_def("sync_bars_tables")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[golden_key("bars_1d")], partition_key="2023"
        )
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["calls"].value == 0


def test_runs_of_a_dead_process_are_marked_as_failed(tmp_path: Path) -> None:
    desk = simulated_desk(tmp_path)
    with open_instance(desk) as instance:
        job = build_definitions(desk, data_specs(desk)).resolve_job_def("sync_bars_tables")
        lost, served = (
            instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
            for tags in ({ORIGIN: COMMAND_LINE}, {})
        )
        assert fail_orphans(instance, command_line=True, served=False) == [lost.run_id]
        assert fail_orphans(instance, command_line=True, served=True) == [served.run_id]
        assert fail_orphans(instance, command_line=True, served=True) == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_sync_that_was_ended_is_completed_and_reported_by_the_next(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    desk = simulated_desk(tmp_path, start="2022-01-04", end="2024-02-29")
    process = start_sync(desk)
    log = desk.lake / "golden" / "bars_1d" / "_delta_log"
    deadline = time.monotonic() + 60
    while len(list(log.glob("*.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(30) == code
    assert "bars_1d" in Unreported.of(desk).read()
    outcome = sync(desk, SyncRequest())
    assert outcome.exit_code == 0
    assert Unreported.of(desk).read() == {}
    years = {str(year) for year in range(2022, 2025)}
    assert set(materializations(desk, golden_key("bars_1d"))) == years
    assert set(materializations(desk, vendor_key("mini", "bars_1d"))) == years
    assert {run.status for run in runs(desk)} == {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


def start_sync(desk: Workspace) -> subprocess.Popen[bytes]:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from quant.qcli.main import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "data", "sync", "--json"],
        cwd=desk.root,
        env={**os.environ, "PYTHONPATH": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_nothing_but_our_progress_reaches_the_terminal(tmp_path: Path) -> None:
    desk = broken_desk(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "quant.qcli.main", "data", "sync"],
        cwd=desk.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    spilled = [line for line in lines if "dagster" in line.lower() and not line.startswith("sync: ")]
    assert spilled == []
    assert "Traceback" not in done.stderr


def test_the_code_location_finds_its_workspace_in_the_environment(
    synced: tuple[Workspace, SyncOutcome],
) -> None:
    desk, _ = synced
    code = (
        "from quant.pipelines.dagster.definitions import defs\n"
        "print(sorted(k.to_user_string() for k in defs.resolve_asset_graph().get_all_asset_keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd="/",
        env={**os.environ, "QUANT_WORKSPACE": str(desk.root), "QUANT_PROFILE": "small"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("golden/bars_1d", "vendor/mini/bars_1d", "golden/calendar"):
        assert f"'{name}'" in done.stdout
