"""``quant ui``: Dagster's webserver and daemon over this workspace, on loopback, until the command ends."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from quant.core.errors import MissingComponent, QuantError, StateConflict

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lock import WriterLock

HOST: Final = "127.0.0.1"
READY_SECONDS: Final = 120.0
STOP_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 5.0
LOG_TAIL_LINES: Final = 12
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Server:
    """A running part of the UI and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The last lines it wrote."""
        with contextlib.suppress(OSError):
            return "\n".join(
                self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
            )
        return ""


def serve(desk: Workspace, *, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the UI at ``http://127.0.0.1:port`` until Ctrl-C or SIGTERM; ``on_ready`` gets the address.

    Raises StateConflict ``ui.port`` when the port is taken and ``ui.running`` when the workspace is served
    already, MissingComponent ``ui.missing`` without dagster-webserver, QuantError ``ui.died`` when a part
    ends by itself.
    """
    _require_webserver()
    _require_free(port)
    from quant.pipelines.dagster.instance import open_instance, server_lock, tidy

    with _one_server(server_lock(desk)), open_instance(desk) as instance:
        tidy(desk, instance, served=True)
        with _servers(desk, port) as servers:
            url = f"http://{HOST}:{port}"
            _wait_until_ready(url, servers)
            on_ready(url)
            while True:
                _watch(servers, LOOK_SECONDS)
                tidy(desk, instance, served=False)


def _require_webserver() -> None:
    if find_spec("dagster_webserver") is None:
        raise MissingComponent(
            "ui.missing",
            "dagster-webserver is not installed",
            expected="the package dagster-webserver, of the same version as dagster",
            hint="pip install dagster-webserver",
        )


def _require_free(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere the option would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise StateConflict(
                "ui.port",
                f"port {port} on {HOST} is taken",
                expected="a free port",
                found=f"{HOST}:{port} in use",
                hint=f"quant ui --port {port + 1 if port < 65535 else port - 1}",
            ) from error


@contextlib.contextmanager
def _one_server(lock: WriterLock) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock.hold("quant ui", wait=1.0))
        except StateConflict as conflict:
            raise StateConflict(
                "ui.running",
                "the UI of this workspace is being served already",
                expected="one server a workspace and profile",
                found=conflict.fault.found,
                hint="open the address it printed, or end it first",
            ) from conflict
        yield


@contextlib.contextmanager
def _servers(desk: Workspace, port: int) -> Iterator[tuple[Server, ...]]:
    """Webserver and daemon, stopped at the end whatever happens."""
    location = _write_location(desk)
    web = ["-m", "dagster_webserver", "-h", HOST, "-p", str(port), "-w", str(location), "--suppress-warnings"]
    daemon = ["-m", "dagster._daemon", "run", "-w", str(location)]
    started: list[Server] = []
    try:
        for name, arguments in (("webserver", web), ("daemon", daemon)):
            started.append(_start(desk, name, arguments))
        yield tuple(started)
    finally:
        _stop(started)


def _write_location(desk: Workspace) -> Path:
    """The file that tells both servers where the definitions are."""
    from quant.warehouse.files import write_atomic

    location = {
        "python_module": {
            "module_name": "quant.pipelines.dagster.definitions",
            "location_name": f"{desk.get('name')}.{desk.profile}",
            "working_directory": str(desk.dagster_home),
            "executable_path": sys.executable,
        }
    }
    file = desk.dagster_home / "workspace.yaml"
    write_atomic(file, json.dumps({"load_from": [location]}, indent=1).encode())
    return file


def _start(desk: Workspace, name: str, arguments: Sequence[str]) -> Server:
    """Start a part in a session of its own, with Dagster's home as its folder: no file of the user's can hide
    a module there.
    """
    home = desk.dagster_home
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "QUANT_WORKSPACE": str(desk.root),
        "QUANT_PROFILE": desk.profile,
        "PYTHONWARNINGS": "ignore",
    }
    with log.open("wb") as output:
        process = _popen([sys.executable, *arguments], environment, home, output)
    return Server(name, process, log)


def _popen(
    command: Sequence[str], environment: dict[str, str], folder: Path, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )


def _end_with_parent() -> None:
    """In the child on Linux: be told when ``quant ui`` itself is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_ready(url: str, servers: Sequence[Server]) -> None:
    """Until the webserver answers with its definitions loaded."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        _watch(servers, 0.1)
        if _answers(url):
            return
    web = servers[0]
    raise QuantError(
        "ui.slow",
        f"the webserver did not answer within {READY_SECONDS:.0f} s",
        found=web.tail(),
        hint=f"look into {web.log}",
    )


def _answers(url: str) -> bool:
    query = json.dumps({"query": "{ version }"}).encode()
    request = urllib.request.Request(f"{url}/graphql", query, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _watch(servers: Sequence[Server], seconds: float) -> None:
    """Wait a while; raises QuantError when a part has ended by itself."""
    deadline = time.monotonic() + seconds
    while True:
        for server in servers:
            code = server.process.poll()
            if code is not None:
                raise QuantError(
                    "ui.died",
                    f"the {server.name} ended with {code}",
                    found=server.tail() or "no output",
                    hint=f"look into {server.log}",
                )
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.2))


def _stop(servers: Sequence[Server]) -> None:
    """Ask every part to end, as Ctrl-C would; what is left of their sessions is killed."""
    for server in servers:
        _signal(server.process, signal.SIGINT)
    deadline = time.monotonic() + STOP_SECONDS
    for server in servers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(max(0.1, deadline - time.monotonic()))
    for server in servers:
        for last in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(server.process.pid, last)
                time.sleep(0.2)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(5)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
