"""The schema, step by step. A step is never changed once released; a new one is appended."""

from __future__ import annotations

import sqlite3
from typing import Final

from quant.core.errors import StateConflict

MIGRATIONS: Final = (
    """
    create table runs (
        run_id text primary key,
        kind text not null,
        name text not null,
        status text not null check (status in ('running', 'done', 'failed')),
        started text not null,
        finished text,
        plan_fingerprint text,
        state_hash text,
        folder text,
        pid integer,
        actor text not null
    );
    create index runs_started on runs (started);
    create table sessions (
        session_id text primary key,
        deployment text not null,
        mode text not null,
        status text not null check (status in ('running', 'paused', 'halted', 'done', 'failed')),
        started text not null,
        finished text,
        pid integer,
        folder text not null,
        state_hash text,
        actor text not null
    );
    create index sessions_deployment on sessions (deployment, started);
    create table audit_log (
        entry integer primary key autoincrement,
        at text not null,
        verb text not null,
        object text not null,
        actor text not null,
        detail text not null
    );
    create trigger audit_log_keeps before update on audit_log
        begin select raise(abort, 'the audit log is only appended to'); end;
    create trigger audit_log_stays before delete on audit_log
        begin select raise(abort, 'the audit log is only appended to'); end;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest schema, one transaction a step.

    Raises StateConflict ``ledger.newer`` for a database of a newer program.
    """
    if (found := _version(connection)) == len(MIGRATIONS):
        return
    if found > len(MIGRATIONS):
        raise StateConflict(
            "ledger.newer",
            "the ledger was written by a newer quant",
            expected=f"schema <= {len(MIGRATIONS)}",
            found=str(found),
            hint="pip install -U quant-toolkit",
        )
    for number in range(found, len(MIGRATIONS)):
        _step(connection, number)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("pragma user_version").fetchone()[0])


def _step(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("begin immediate")
    try:
        if _version(connection) == number:  # another process may have come first
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"pragma user_version = {number + 1}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _statements(script: str) -> list[str]:
    """The statements of a script; a trigger's body has semicolons of its own."""
    found, current = [], ""
    for part in script.split(";"):
        current += part + ";"
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    return [statement for statement in found if statement.strip("; \n")]
