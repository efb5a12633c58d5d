"""``quant ui`` over a workspace: what the page's own queries answer, runs started there, and how it ends."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dagster_case import simulated_desk

from quant.core.errors import MissingComponent, StateConflict
from quant.pipelines.flows import ui
from quant.pipelines.flows.sync import SyncRequest, sync
from quant.pipelines.workspace import Workspace
from quant.warehouse.lake import Lake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX sessions and signals")

ASSETS = """{ assetNodes { assetKey { path } groupName description kinds isPartitioned
  dependencyKeys { path } hasAssetChecks owners { ... on TeamAssetOwner { team } }
  assetMaterializations(limit: 1) { partition metadataEntries { label
    ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } } } } }"""
CHECKS = """query($k: AssetKeyInput!) { assetNodeOrError(assetKey: $k) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name blocking description
    executionForLatestMaterialization { status evaluation { success severity description } } } } } } } }"""
SCHEDULES = """{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name }
  schedules { name cronSchedule executionTimezone scheduleState { status } } } } } }"""
LAUNCH = """mutation($p: ExecutionParams!) { launchPipelineExecution(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = "query($r: ID!) { runOrError(runId: $r) { ... on Run { status } } }"


@dataclass(frozen=True)
class Served:
    desk: Workspace
    url: str
    process: subprocess.Popen[str]

    def query(self, text: str, **variables: object) -> dict[str, Any]:
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        assert "errors" not in found, found
        return found["data"]  # type: ignore[no-any-return]

    def launch(self, keys: list[list[str]], **tags: str) -> str:
        """Start a run as the page's button does; its status at the end."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "case.small",
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": key} for key in keys],
        }
        stated = [{"key": key.replace("__", "/"), "value": value} for key, value in tags.items()]
        parameters = {
            "selector": selector,
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": stated},
        }
        started = self.query(LAUNCH, p=parameters)["launchPipelineExecution"]
        assert started["__typename"] == "LaunchRunSuccess", started
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            status = str(self.query(RUN, r=started["run"]["runId"])["runOrError"]["status"])
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(0.5)
        return "never ended"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(desk: Workspace, port: int) -> subprocess.Popen[str]:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from quant.qcli.main import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "ui", "--port", str(port)],
        cwd=desk.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    desk = simulated_desk(tmp_path_factory.mktemp("desk"))
    assert sync(desk, SyncRequest()).exit_code == 0
    port = free_port()
    process = start(desk, port)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "serving" in line, line + process.stderr.read()
        yield Served(desk, f"http://127.0.0.1:{port}", process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def test_the_page_knows_assets_lineage_and_materialisations(served: Served) -> None:
    nodes = {tuple(n["assetKey"]["path"]): n for n in served.query(ASSETS)["assetNodes"]}
    bars = nodes["golden", "bars_1d"]
    assert bars["groupName"] == "bars"
    assert bars["isPartitioned"]
    assert bars["dependencyKeys"] == [{"path": ["vendor", "mini", "bars_1d"]}]
    assert nodes["vendor", "mini", "bars_1d"]["dependencyKeys"] == [{"path": ["golden", "instruments"]}]
    (latest,) = bars["assetMaterializations"]
    said = {e["label"]: e.get("intValue", e.get("text")) for e in latest["metadataEntries"]}
    lake = Lake(served.desk.lake)
    assert latest["partition"] == "2024"
    assert said["table_version"] == lake.version("bars_1d")
    assert said["content_hash"] == lake.content_hash("bars_1d")
    assert said["last"] == "2024-02-29"


def test_the_page_shows_check_results(served: Served) -> None:
    answer = served.query(CHECKS, k={"path": ["golden", "bars_1d"]})
    checks = {c["name"]: c for c in answer["assetNodeOrError"]["assetChecksOrError"]["checks"]}
    assert set(checks) == {"contract", "unique", "ohlc_order", "within_limits", "rows_vs_calendar"}
    for check in checks.values():
        latest = check["executionForLatestMaterialization"]
        assert latest["status"] == "SUCCEEDED"
        assert latest["evaluation"]["success"]
    assert checks["unique"]["blocking"]
    assert not checks["rows_vs_calendar"]["blocking"]


def test_schedules_are_there_and_stopped(served: Served) -> None:
    (location,) = served.query(SCHEDULES)["repositoriesOrError"]["nodes"]
    assert location["location"]["name"] == "case.small"
    states = {s["name"]: (s["cronSchedule"], s["scheduleState"]["status"]) for s in location["schedules"]}
    assert states == {
        "xshg_1800": ("0 18 * * 1-5", "STOPPED"),
        "xshg_1830": ("30 18 * * 1-5", "STOPPED"),
    }


def test_a_run_started_on_the_page_stores_its_partition_and_a_writer_refuses_it(served: Served) -> None:
    keys = [["vendor", "mini", "bars_1d"], ["golden", "bars_1d"]]
    before = Lake(served.desk.lake).read("sync_log").height
    assert served.launch(keys, dagster__partition="2024") == "SUCCESS"
    assert Lake(served.desk.lake).read("sync_log").height == before + 1
    with Lake(served.desk.lake).lock.hold("quant data sync"):
        assert served.launch(keys, dagster__partition="2024") == "FAILURE"


def test_one_workspace_is_served_once(served: Served) -> None:
    with pytest.raises(StateConflict) as caught:
        ui.serve(served.desk, port=free_port(), on_ready=lambda _: None)
    assert caught.value.fault.code == "ui.running"


def test_a_taken_port_is_said_at_once(tmp_path: Path) -> None:
    desk = simulated_desk(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StateConflict) as caught:
            ui.serve(desk, port=taken.getsockname()[1], on_ready=lambda _: None)
    assert caught.value.fault.code == "ui.port"
    assert caught.value.exit_code == 5


def test_without_the_webserver_the_error_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(ui, "find_spec", lambda name: None if name == "dagster_webserver" else real(name))
    with pytest.raises(MissingComponent) as caught:
        ui.serve(simulated_desk(tmp_path), port=free_port(), on_ready=lambda _: None)
    assert caught.value.exit_code == 7


def test_ctrl_c_ends_everything_it_started(served: Served) -> None:
    """The last test: it ends the server."""
    children = descendants(served.process.pid)
    assert len(children) >= 2
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 130
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [pid for pid in children if alive(pid)] == []


def descendants(pid: int) -> list[int]:
    psutil = pytest.importorskip("psutil")
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    psutil = pytest.importorskip("psutil")
    return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
