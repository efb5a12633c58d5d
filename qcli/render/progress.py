"""Progress on stderr: a spinner with stage names on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self


class Stages:
    """A reporter for flows: ``progress("load panel")`` begins a stage, ``progress.count(…)`` counts in it."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title = title
        self._quiet = quiet
        self._tty = sys.stderr.isatty() and not quiet
        self._stage = ""
        self._began = time.perf_counter()
        self._shown = 0.0

    def __call__(self, stage: str) -> None:
        self._finish()
        self._stage, self._began = stage, time.perf_counter()
        if self._tty:
            sys.stderr.write(f"\r\x1b[2K{self._title}: {stage} …")
            sys.stderr.flush()

    def count(self, done: int, total: int, unit: str = "") -> None:
        """Show how far the stage is, with rate and time left; at most ten times a second."""
        now = time.perf_counter()
        if not self._tty or (done < total and now - self._shown < 0.1):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-9)
        left = (total - done) / rate if rate else 0.0
        text = f"{done:,}/{total:,} {unit} ({rate:,.0f}/s, {left:,.0f} s left)"
        sys.stderr.write(f"\r\x1b[2K{self._title}: {self._stage} {text}")
        sys.stderr.flush()

    def _finish(self) -> None:
        if not self._stage or self._quiet:
            return
        spent = time.perf_counter() - self._began
        lead = "\r\x1b[2K" if self._tty else ""
        sys.stderr.write(f"{lead}{self._title}: {self._stage} ({spent:.2f} s)\n")
        sys.stderr.flush()
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._finish()
        elif self._tty:
            sys.stderr.write("\r\x1b[2K")


@contextmanager
def stages(title: str, *, quiet: bool) -> Iterator[Stages]:
    """A progress reporter for one command."""
    with Stages(title, quiet=quiet) as reporter:
        yield reporter
