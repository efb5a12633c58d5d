"""Calls into a user's code: what it prints goes to stderr, what it raises is located in the user's file."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.core.errors import InvariantBroken, QuantError
from quant.trading.strategies.errors import StrategyError, defined_in, describe, place_in


@dataclass(frozen=True, slots=True)
class Guard:
    """``folder`` is where errors are located, ``name`` is what the user calls the strategy."""

    folder: Path
    name: str

    def call(self, what: str, function: Callable[..., Any], *args: Any, user: object = None) -> Any:
        """Raises StrategyError, located in the user's file, for whatever goes wrong in it.

        ``user`` is the user's own function where ``function`` wraps it.
        """
        try:
            if sys.stdout is sys.stderr:
                return function(*args)
            with contextlib.redirect_stdout(sys.stderr):
                return function(*args)
        except InvariantBroken:
            raise
        except (Exception, SystemExit) as error:
            raise self.located(what, error, user or function) from error

    def located(self, what: str, error: BaseException, function: object = None) -> StrategyError:
        """The error as the user's own, with its file and line."""
        where = place_in(self.folder, error) or defined_in(self.folder, function)
        if isinstance(error, QuantError):
            fault = error.fault
            return StrategyError(
                fault.code,
                f"{self.name}.{what}: {fault.message}",
                where=where,
                expected=fault.expected,
                found=fault.found,
                hint=fault.hint,
            )
        return StrategyError(
            "strategy.failed",
            f"{self.name}.{what} failed: {describe(error)}",
            where=where,
            hint="--debug shows the traceback",
        )

    def error(self, code: str, message: str, **facts: Any) -> StrategyError:
        """A fault of the strategy as a whole."""
        return StrategyError(code, f"{self.name}: {message}", **facts)
