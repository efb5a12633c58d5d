"""A vendor's client in a process of its own: what it knows, and that it always ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from baostock_server import BaostockServer
from jq_server import PASSWORD, USER, JoinQuantServer

from quant.warehouse.sources.isolated import IsolatedSdk
from quant.warehouse.sources.vendor import Call, VendorFault

DAYS = Call("query_trade_dates", {"start_date": "2021-03-01", "end_date": "2021-03-05"})
PARENT = """
import sys
from quant.warehouse.sources.isolated import IsolatedSdk
from quant.warehouse.sources.vendor import Call
sdk = IsolatedSdk("baostock", lambda: {"host": "127.0.0.1", "port": int(sys.argv[1])})
sdk.ask(Call("query_trade_dates", {"start_date": "2021-03-01", "end_date": "2021-03-05"}), 10.0)
print("ready", flush=True)
sdk.ask(Call("query_trade_dates", {"start_date": "2021-03-02", "end_date": "2021-03-05"}), 60.0)
"""


@pytest.fixture
def server() -> Iterator[BaostockServer]:
    running = BaostockServer()
    yield running
    running.stop()


@pytest.fixture
def sdk(server: BaostockServer) -> Iterator[IsolatedSdk]:
    made = IsolatedSdk("baostock", lambda: {"host": "127.0.0.1", "port": server.port})
    yield made
    made.close()


def workers(of: psutil.Process) -> list[psutil.Process]:
    return [
        p for p in of.children(recursive=True) if "quant.warehouse.sources.workers" in " ".join(p.cmdline())
    ]


def becomes_true(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.02)
    return condition()


def test_a_worker_knows_no_other_secret_and_shows_its_own_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUSHARE_TOKEN", "a token of another vendor")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a key of the lake")
    host = JoinQuantServer()
    options = {"host": "127.0.0.1", "port": host.port, "secret": f"{USER}:{PASSWORD}"}
    sdk = IsolatedSdk("joinquant", lambda: options)
    sdk.ask(Call("get_query_count"), 10.0)
    (worker,) = workers(psutil.Process())
    told = " ".join([*worker.cmdline(), *(f"{k}={v}" for k, v in worker.environ().items())])
    for secret in ("a token of another vendor", "a key of the lake", PASSWORD):
        assert secret not in told
    sdk.close()
    host.stop()


def test_a_worker_that_was_killed_is_a_passing_trouble_and_is_replaced(sdk: IsolatedSdk) -> None:
    first = sdk.ask(DAYS, 10.0)
    (worker,) = workers(psutil.Process())
    worker.kill()
    worker.wait(5)
    with pytest.raises(VendorFault, match="ended by itself") as raised:
        sdk.ask(DAYS, 10.0)
    assert raised.value.trouble == "transient"
    assert sdk.ask(DAYS, 10.0) == first


def test_a_worker_ends_when_its_parent_is_killed_though_it_waits_for_the_vendor(
    server: BaostockServer, tmp_path: Path
) -> None:
    server.behaviour.faults.extend(["", "hang"])
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script), str(server.port)], stdout=subprocess.PIPE)
    assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
    assert becomes_true(lambda: len(server.behaviour.asked) == 2)
    (worker,) = workers(psutil.Process(parent.pid))
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    assert becomes_true(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_program_that_cannot_start_says_why() -> None:
    sdk = IsolatedSdk("no_such_vendor", dict)
    with pytest.raises(VendorFault, match="No module named"):
        sdk.ask(DAYS, 5.0)
    sdk.close()


@pytest.mark.parametrize("provider", ["baostock", "akshare", "joinquant"])
def test_a_worker_starts_without_what_only_the_parent_needs(provider: str) -> None:
    script = (
        f"import sys, quant.warehouse.sources.workers.{provider}\n"
        "print([m for m in ('polars', 'numpy', 'deltalake', 'pydantic') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
