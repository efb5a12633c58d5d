"""Rows of the ledger as values. Instants are ISO 8601 text in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A backtest or another run. ``status`` is running, done or failed; ``folder`` its run folder."""

    run_id: str
    kind: str
    name: str
    status: str
    started: str
    finished: str | None
    plan_fingerprint: str | None
    state_hash: str | None
    folder: str | None
    pid: int | None
    actor: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "actor": dict(self.actor)}


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A trading session of a deployment. ``status`` is running, paused, halted, done or failed."""

    session_id: str
    deployment: str
    mode: str
    status: str
    started: str
    finished: str | None
    pid: int | None
    folder: str
    state_hash: str | None
    actor: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "actor": dict(self.actor)}


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One mutating verb: who did what to which object, when, with what reason."""

    entry: int
    at: str
    verb: str
    object: str
    actor: Mapping[str, Any]
    detail: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "actor": dict(self.actor), "detail": dict(self.detail)}
