"""A vendor's SDK in a process of its own: started when first asked, killed when it takes too long, replaced
when it died.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock, Timer
from typing import IO, Any, Final, get_args

from quant.warehouse.sources.vendor import Answer, Call, Trouble, VendorFault

START_SECONDS: Final = 60.0
CLOSE_SECONDS: Final = 2.0
GRACE_SECONDS: Final = 1.0
"""What a worker gets beyond a call's time, to give up by itself and keep its login."""
_MOST_BYTES: Final = 1 << 30
_PASSED_ON: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)  # fmt: skip
"""Environment variables that a worker gets: none that holds a secret of another vendor."""
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""Further ones for an SDK that reads web pages."""


class IsolatedSdk:
    """The workers of one source; as many as calls are put at the same time.

    ``module`` is a program of ``warehouse.sources.workers``; ``opening`` gives what it is opened with, the
    secret among it: it goes through the pipe, never into the environment or the list of processes.
    """

    def __init__(
        self, module: str, opening: Callable[[], Mapping[str, object]], environment: Sequence[str] = ()
    ) -> None:
        self._module = module
        self._environment = (*_PASSED_ON, *environment)
        self._opening = opening
        self._idle: list[_Worker] = []
        self._lock = Lock()
        self._closed = 0

    def ask(self, call: Call, timeout: float) -> Answer:
        """The worker's answer. Raises VendorFault; one that did not answer in time is killed."""
        question = {"do": "ask", "endpoint": call.endpoint, "params": dict(call.params), "timeout": timeout}
        with self._borrowed(timeout) as worker:
            return worker.put(question, timeout + GRACE_SECONDS)

    def close(self) -> None:
        """End all workers; one that is busy ends with its call. A later call starts a new one."""
        with self._lock:
            self._closed += 1
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.close()

    @contextmanager
    def _borrowed(self, timeout: float) -> Iterator[_Worker]:
        with self._lock:
            worker, closed = self._idle.pop() if self._idle else None, self._closed
        if worker is None:
            worker = _Worker(self._module, self._environment)
            try:
                worker.put({"do": "open", "options": dict(self._opening())}, START_SECONDS + timeout)
            except BaseException:
                worker.kill()
                raise
        try:
            yield worker
        except BaseException as error:
            if not isinstance(error, VendorFault) or not worker.alive:
                worker.kill()
                raise
            self._give_back(worker, closed)
            raise
        self._give_back(worker, closed)

    def _give_back(self, worker: _Worker, closed: int) -> None:
        with self._lock:
            if closed == self._closed:
                self._idle.append(worker)
                return
        worker.close()


class _Worker:
    """One process and its pipes."""

    def __init__(self, module: str, environment: Sequence[str]) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"quant.warehouse.sources.workers.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={name: os.environ[name] for name in environment if name in os.environ},
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not self._said.closed

    def put(self, question: Mapping[str, object], timeout: float) -> Answer:
        """Write a question, wait for its answer."""
        late = Timer(timeout, self._process.kill)
        late.daemon = True
        late.start()
        try:
            return self._exchange(json.dumps(question).encode() + b"\n")
        except (OSError, EOFError, ValueError) as error:
            overdue = late.finished.is_set() and not late.is_alive()
            self._process.kill()
            self._process.wait()
            raise VendorFault("transient", self._obituary(timeout if overdue else None)) from error
        finally:
            late.cancel()
            late.join()

    def close(self) -> None:
        """Let it log out, then end it."""
        late = Timer(CLOSE_SECONDS, self._process.kill)
        late.start()
        try:
            stdin = self._stdin
            stdin.write(b'{"do":"close"}\n')
            stdin.flush()
            self._process.wait()
        except OSError:
            self._process.kill()
        finally:
            late.cancel()
            late.join()
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was not yet flushed has no reader any more
                    continue

    @property
    def _stdin(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise EOFError("no pipe to the worker")
        return self._process.stdin

    def _exchange(self, question: bytes) -> Answer:
        self._stdin.write(question)
        self._stdin.flush()
        stdout = self._process.stdout
        line = stdout.readline(1 << 16) if stdout is not None else b""
        if stdout is None or not line.endswith(b"\n"):
            raise EOFError("the worker ended")
        header = json.loads(line)
        if not header["ok"]:
            raise _fault(header)
        size = int(header["size"])
        if not 0 <= size <= _MOST_BYTES:
            raise ValueError(f"an answer of {size} bytes")
        content = stdout.read(size)
        if len(content) != size:
            raise EOFError("the worker ended within an answer")
        return Answer(content, str(header["media_type"]), int(header["rows"]), bool(header["empty_is_known"]))

    def _obituary(self, overdue: float | None) -> str:
        if overdue is not None:
            return f"no answer within {overdue:g} s; the vendor's client was ended"
        self._said.seek(0)
        last = self._said.read().decode(errors="replace").strip().splitlines()[-1:]
        ended = f"the vendor's client ended by itself (exit {self._process.returncode})"
        return ": ".join([ended, *(line[:200] for line in last)])


def _fault(header: Mapping[str, Any]) -> VendorFault:
    trouble: Trouble = header["trouble"] if header["trouble"] in get_args(Trouble) else "invalid"
    return VendorFault(trouble, str(header["message"]), retry_after=header.get("retry_after"))
