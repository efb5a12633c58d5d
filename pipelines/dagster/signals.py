"""Ctrl-C and SIGTERM during a run in this process end the command, not only the run."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def delivered_after() -> Iterator[None]:
    """Dagster takes both signals, so that it can record the run as failed, and leaves SIGTERM bound
    to Ctrl-C's handler. Afterwards the handlers are those from before, and what arrived is raised again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        arrived = _numbers(reader)
    for number in _ENDING:
        if number in arrived:
            signal.raise_signal(number)


def _numbers(reader: socket.socket) -> bytes:
    """The numbers of the signals that arrived, a byte each."""
    try:
        return reader.recv(4096)
    except BlockingIOError:
        return b""
