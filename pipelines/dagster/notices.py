"""Keeps Dagster's notices about previews, betas and deprecations, and its log lines, off the terminal."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any, Final

QUIET_LOGGERS: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run config that leaves a run's log to the event log alone."""


def silence() -> None:
    """Filter by message, not by dagster's warning classes: naming them would import dagster."""
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    for text in (
        r".*(beta|preview|superseded|experimental).*may break in future",
        r".*is (currently )?in (beta|preview)",
    ):
        warnings.filterwarnings("ignore", message=text)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"dagster.*")
    for name in ("dagster", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def quiet_run(config: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run config that logs nothing to the console."""
    return {**(config or {}), **QUIET_LOGGERS}
