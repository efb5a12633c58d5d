"""The ledger: an SQLite database in WAL mode, one short transaction an operation."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from quant.core.errors import QuantError, TransientError
from quant.core.time import show_instant, utc_now
from quant.warehouse.ledger.migrations import migrate
from quant.warehouse.ledger.records import AuditEntry, RunRecord, SessionRecord

BUSY_SECONDS: Final = 10.0
_RUN: Final = (
    "run_id, kind, name, status, started, finished, plan_fingerprint, state_hash, folder, pid, actor"
)
_SESSION: Final = "session_id, deployment, mode, status, started, finished, pid, folder, state_hash, actor"
_OVER: Final = ("done", "failed")
Actor = Mapping[str, Any]


class Ledger:
    """The ledger at ``path``, created and migrated when it is first used.

    Every method that changes something takes the actor and writes the audit log in the same transaction.
    """

    def __init__(self, path: Path, *, now: Callable[[], int] = utc_now) -> None:
        self.path = Path(path)
        self._now = now
        self._ready = False

    # -- runs

    def start_run(
        self,
        *,
        run_id: str,
        kind: str,
        name: str,
        actor: Actor,
        pid: int | None = None,
        plan_fingerprint: str | None = None,
    ) -> None:
        """Register a run that has begun."""
        with self._write() as db:
            db.execute(
                f"insert into runs ({_RUN}) values (?, ?, ?, 'running', ?, null, ?, null, null, ?, ?)",
                (run_id, kind, name, self._stamp(), plan_fingerprint, pid, _text(actor)),
            )
            self._audit(db, f"{kind}.start", run_id, actor, {"name": name})

    def finish_run(
        self,
        run_id: str,
        *,
        status: str,
        actor: Actor,
        state_hash: str | None = None,
        folder: str | None = None,
    ) -> None:
        """Close a run as done or failed. Raises QuantError ``run.unknown``."""
        with self._write() as db:
            changed = db.execute(
                "update runs set status = ?, finished = ?, state_hash = ?, folder = ?, pid = null "
                "where run_id = ?",
                (status, self._stamp(), state_hash, folder, run_id),
            ).rowcount
            if not changed:
                raise QuantError("run.unknown", f"no run {run_id} was registered", found=run_id)
            self._audit(db, "run.finish", run_id, actor, {"status": status, "state_hash": state_hash})

    def record_run(
        self,
        *,
        run_id: str,
        kind: str,
        name: str,
        started: str,
        actor: Actor,
        plan_fingerprint: str | None,
        state_hash: str | None,
        folder: str | None,
        status: str = "done",
    ) -> None:
        """Register a run that is over; a run known by its id is replaced."""
        with self._write() as db:
            db.execute(
                f"insert or replace into runs ({_RUN}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, null, ?)",
                (
                    run_id,
                    kind,
                    name,
                    status,
                    started,
                    self._stamp(),
                    plan_fingerprint,
                    state_hash,
                    folder,
                    _text(actor),
                ),
            )
            self._audit(db, kind, run_id, actor, {"name": name, "status": status, "state_hash": state_hash})

    def runs(self, *, limit: int = 20, kind: str | None = None, name: str | None = None) -> list[RunRecord]:
        """Runs, newest first."""
        rows = self._select(
            f"select {_RUN} from runs where (? is null or kind = ?) and (? is null or name = ?) "
            "order by started desc, run_id desc limit ?",
            (kind, kind, name, name, limit),
        )
        return [RunRecord(*_decoded(row, 1)) for row in rows]

    def run(self, run_id: str) -> RunRecord | None:
        """One run by its id."""
        rows = self._select(f"select {_RUN} from runs where run_id = ?", (run_id,))
        return RunRecord(*_decoded(rows[0], 1)) if rows else None

    def fail_orphans(self, is_alive: Callable[[int], bool], actor: Actor) -> list[str]:
        """Mark runs and sessions as failed whose process is gone; their ids."""
        with self._write() as db:
            orphans = [
                (table, key, row[0])
                for table, key in (("runs", "run_id"), ("sessions", "session_id"))
                for row in db.execute(
                    f"select {key}, pid from {table} where status not in ('done', 'failed') "
                    "and pid is not null"
                )
                if not is_alive(int(row[1]))
            ]
            for table, key, name in orphans:
                db.execute(
                    f"update {table} set status = 'failed', finished = ?, pid = null where {key} = ?",
                    (self._stamp(), name),
                )
                self._audit(db, "run.orphaned", name, actor, {})
            return [name for _, _, name in orphans]

    # -- trading sessions

    def start_session(
        self,
        *,
        session_id: str,
        deployment: str,
        mode: str,
        folder: str,
        actor: Actor,
        pid: int | None = None,
    ) -> None:
        """Register a trading session; one that is started again after a crash keeps its id."""
        with self._write() as db:
            db.execute(
                f"insert into sessions ({_SESSION}) values (?, ?, ?, 'running', ?, null, ?, ?, null, ?) "
                "on conflict (session_id) do update set status = 'running', finished = null, "
                "pid = excluded.pid, actor = excluded.actor",
                (session_id, deployment, mode, self._stamp(), pid, folder, _text(actor)),
            )
            self._audit(db, "session.start", session_id, actor, {"deployment": deployment, "mode": mode})

    def set_session(
        self, session_id: str, *, status: str, actor: Actor, reason: str = "", state_hash: str | None = None
    ) -> None:
        """Change a session's status. Raises QuantError ``session.unknown``."""
        with self._write() as db:
            finished = self._stamp() if status in _OVER else None
            changed = db.execute(
                "update sessions set status = ?, finished = ?, state_hash = coalesce(?, state_hash) "
                "where session_id = ?",
                (status, finished, state_hash, session_id),
            ).rowcount
            if not changed:
                raise QuantError(
                    "session.unknown", f"no session {session_id} was registered", found=session_id
                )
            self._audit(db, f"session.{status}", session_id, actor, {"reason": reason})

    def sessions(self, *, limit: int = 20, deployment: str | None = None) -> list[SessionRecord]:
        """Trading sessions, newest first."""
        rows = self._select(
            f"select {_SESSION} from sessions where (? is null or deployment = ?) "
            "order by started desc, session_id desc limit ?",
            (deployment, deployment, limit),
        )
        return [SessionRecord(*_decoded(row, 1)) for row in rows]

    # -- audit log

    def audit(self, verb: str, target: str, actor: Actor, **detail: Any) -> None:
        """Write down a mutating verb that changed something elsewhere: a sync, a spec, a setting."""
        with self._write() as db:
            self._audit(db, verb, target, actor, detail)

    def audit_log(self, *, limit: int = 50, verb: str | None = None) -> list[AuditEntry]:
        """Entries, newest first."""
        rows = self._select(
            "select entry, at, verb, object, actor, detail from audit_log where (? is null or verb = ?) "
            "order by entry desc limit ?",
            (verb, verb, limit),
        )
        return [AuditEntry(*_decoded(row, 2)) for row in rows]

    def _audit(
        self, db: sqlite3.Connection, verb: str, target: str, actor: Actor, detail: Mapping[str, Any]
    ) -> None:
        db.execute(
            "insert into audit_log (at, verb, object, actor, detail) values (?, ?, ?, ?, ?)",
            (self._stamp(), verb, target, _text(actor), _text(detail)),
        )

    # -- the database

    def _stamp(self) -> str:
        return show_instant(self._now())

    def _select(self, sql: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        if not self.path.is_file():
            return []
        with self._open() as db:
            return db.execute(sql, parameters).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("begin immediate")
            try:
                yield db
                db.execute("commit")
            except BaseException:
                if db.in_transaction:
                    db.execute("rollback")
                raise

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            if not self._ready:
                db.execute("pragma journal_mode = wal")
                migrate(db)
                self._ready = True
            db.execute("pragma synchronous = full")
            yield db
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise TransientError(
                "ledger.busy",
                "the ledger is being written to by another process",
                hint="run the command again",
            ) from error
        finally:
            db.close()


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), sort_keys=True, ensure_ascii=False, default=str)


def _decoded(row: tuple[Any, ...], objects: int) -> tuple[Any, ...]:
    """A row whose last columns are JSON objects."""
    return (*row[:-objects], *(json.loads(text) for text in row[-objects:]))
