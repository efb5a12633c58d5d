"""The platforms' loggers: lines on stderr with the time of the session, never of the clock on the wall."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "warn": 30, "error": 40, "critical": 50}


class Log:
    """``log.info(…)`` as both platforms have it; ``set_level`` takes a level, or a channel and a level."""

    def __init__(self, now: Callable[[], datetime | None]) -> None:
        self._now, self._least, self._told = now, _LEVELS["info"], set[str]()

    def set_level(self, *names: str) -> None:
        """Show lines from this level on; of the platform's own channels (order, system) nothing."""
        if len(names) == 1 or names[0] in ("strategy", "user"):
            self._least = _LEVELS.get(str(names[-1]).lower(), self._least)

    setLevel = set_level  # noqa: N815

    def debug(self, message: Any, *args: Any) -> None:
        self._line("debug", message, args)

    def info(self, message: Any, *args: Any) -> None:
        self._line("info", message, args)

    def warning(self, message: Any, *args: Any) -> None:
        self._line("warning", message, args)

    warn = warning

    def error(self, message: Any, *args: Any) -> None:
        self._line("error", message, args)

    def once(self, message: str) -> None:
        """A warning that is not repeated."""
        if message not in self._told:
            self._told.add(message)
            self._line("warning", message, ())

    def _line(self, level: str, message: Any, args: tuple[Any, ...]) -> None:
        if _LEVELS[level] < self._least:
            return
        try:
            text = str(message) % args if args else str(message)
        except (TypeError, ValueError):
            text = " ".join(str(part) for part in (message, *args))
        stamp = self._now()
        print(f"{stamp or '':%Y-%m-%d %H:%M:%S} - {level.upper()} - {text}", file=sys.stderr)  # noqa: T201
