"""Faults in a user's strategy: located in the user's file, shown without a traceback.

QuantError
└── StrategyError        exit 1   the strategy failed while it was deciding
    └── StrategyLoadError exit 2  the declared entry cannot be loaded
"""

from __future__ import annotations

import traceback
from pathlib import Path

from quant.core.errors import Location, QuantError


class StrategyError(QuantError):
    exit_code = 1


class StrategyLoadError(StrategyError):
    exit_code = 2


def place_in(folder: Path, error: BaseException) -> Location | None:
    """The innermost line of ``error`` that lies in a file below ``folder``, relative to its parent."""
    if isinstance(error, SyntaxError) and error.filename and _inside(folder, error.filename):
        return Location(_shown(folder, error.filename), error.lineno or 0, error.offset or 0)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _inside(folder, f.filename)]
    return Location(_shown(folder, frames[-1].filename), frames[-1].lineno or 0) if frames else None


def defined_in(folder: Path, function: object) -> Location | None:
    """Where a function of a file below ``folder`` begins: the place of a call that never entered it."""
    code = getattr(function, "__code__", None)
    if code is None or not _inside(folder, code.co_filename):
        return None
    return Location(_shown(folder, code.co_filename), code.co_firstlineno)


def describe(error: BaseException) -> str:
    """One line: the error's type and text; our own errors by their message alone."""
    if isinstance(error, QuantError):
        return error.fault.message
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _inside(folder: Path, filename: str) -> bool:
    return Path(filename).is_relative_to(folder)


def _shown(folder: Path, filename: str) -> str:
    return Path(filename).relative_to(folder.parent).as_posix()
