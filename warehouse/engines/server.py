"""A ClickHouse server over HTTP: it answers from its own copies of lake tables (``projections``), each of
exactly one version of its table.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from quant.core.errors import MissingComponent, QuantError, StateConflict, TransientError, UsageError
from quant.warehouse.engines.tables import (
    QueryResult,
    QueryTable,
    explained,
    explains,
    named_tables,
    one_statement,
    result,
)

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake, TableRef

_RETRY: Final = frozenset({159, 160, 202, 209, 210, 236, 241, 243, 252, 319, 425})
"""Timeouts, too many queries or parts, no memory, no space: the same call may succeed later."""
_REFUSED: Final = frozenset({192, 193, 194, 497, 516})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HTTP, _HTTPS = 8123, 8443
_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """``clickhouse://user@host:8123/database`` (``clickhouses://`` over TLS); the password is a reference to
    a secret, never the secret itself.
    """

    url: str
    password: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("clickhouse", "clickhouses") or not parts.hostname:
            raise UsageError(
                "server.url",
                "this is no address of a ClickHouse server",
                expected="clickhouse://user@host:8123/database",
                found=self.url.replace(parts.password or "\0", "***"),
            )
        if parts.password:
            raise UsageError(
                "server.password",
                "the address of the server holds a password",
                expected="a reference in clickhouse.password: env://NAME or keyring://service/name",
                found=self.url.replace(parts.password, "***"),
                hint="quant secret set keyring://clickhouse/desk",
            )
        if not _NAME.fullmatch(self.database):
            raise UsageError(
                "server.database", "this is no name of a database", expected="quant", found=self.database
            )

    @property
    def database(self) -> str:
        return unquote(urlsplit(self.url).path.strip("/")) or "quant"

    @property
    def secure(self) -> bool:
        return urlsplit(self.url).scheme == "clickhouses"

    @property
    def shown(self) -> str:
        """The address for a screen."""
        return self.url


@contextlib.contextmanager
def connection(settings: ServerSettings, *, database: bool = True) -> Iterator[Any]:
    """A client of the server, with its own database chosen unless told not to. Errors of the server and of
    the wire come out as ours.
    """
    try:
        import clickhouse_connect
    except ImportError as error:
        raise MissingComponent(
            "engine.server", "the client of ClickHouse is not installed", found=str(error)
        ) from error
    from quant.warehouse.secrets import resolve_secret

    parts = urlsplit(settings.url)
    password = resolve_secret(settings.password) if settings.password else ""
    with told(settings):
        client = clickhouse_connect.get_client(
            interface="https" if settings.secure else "http",
            host=parts.hostname,
            port=parts.port or (_HTTPS if settings.secure else _HTTP),
            username=unquote(parts.username or "default"),
            password=password,
            database=settings.database if database else "default",
            autogenerate_session_id=False,
            send_receive_timeout=_SECONDS,
            verify=parse_qs(parts.query).get("verify", ["true"])[0] != "false",
        )
        try:
            yield client
        finally:
            client.close()


@contextlib.contextmanager
def told(settings: ServerSettings) -> Iterator[None]:
    """Turn the client's errors into ours."""
    import urllib3
    from clickhouse_connect.driver.exceptions import Error

    try:
        yield
    except (Error, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
        raise _server_error(settings, error) from error


def _server_error(settings: ServerSettings, error: Exception) -> QuantError:
    text = " ".join(str(error).split())
    code = found[1] if (found := re.search(r"[Cc]ode:? (\d+)", text)) else ""
    number = int(code) if code else 0
    message = re.sub(r"^.*?DB::Exception: ", "", text)[:400]
    if number == 81:
        return UsageError(
            "server.empty",
            f"the server has no database {settings.database}",
            found=settings.shown,
            hint="quant warehouse init",
        )
    if number in _REFUSED:
        return QuantError(
            "server.refused",
            f"the server refused {urlsplit(settings.url).username or 'default'}: {message}",
            expected="a user with a valid password and the rights to read, create and alter tables",
            found=f"code {number}",
            hint="check clickhouse.url and clickhouse.password",
        )
    if number in _RETRY or not number:
        return TransientError(
            "server.unreachable" if not number else "server.busy",
            f"the server does not answer: {message}" if not number else message,
            expected="an answer",
            found=settings.shown if not number else f"code {number}",
            hint="run the command again; nothing that was loaded is lost or doubled",
        )
    return QuantError("server.failed", message, found=f"code {number}")


def query(
    sql: str,
    lake: Lake,
    versions: Mapping[str, int] | None = None,
    *,
    settings: ServerSettings,
) -> QueryResult:
    """Run one SELECT on the server's copies. ``behind`` of the result names tables of which the lake has a
    newer version. Raises StateConflict where a table, or the asked version of it, is not on the server.
    """
    from quant.warehouse.engines.projections import loaded, server_name

    statement = one_statement(sql)
    tables = named_tables(statement, lake, versions)
    with connection(settings) as client:
        held = [_pinned(table, loaded(client, table.ref), versions) for table in tables]
        asked = _renamed(statement, {table.label: server_name(table.ref) for table in tables})
        try:
            if not explains(asked):
                client.raw_query(f"explain query tree {asked}")
            rows = client.query_arrow(asked, use_strings=True, settings={"readonly": 2})
        except Exception as error:
            known = explained(error, asked, lake, settings.database)
            raise known or _server_error(settings, error) from error
    answer = result(rows, held)
    behind = {table.label: table.version for table, own in zip(tables, held, strict=True) if own != table}
    return QueryResult(answer.table, answer.versions, {} if versions else behind)


def _pinned(table: QueryTable, held: Any, versions: Mapping[str, int] | None) -> QueryTable:
    """The table at the version that the server holds."""
    if held is None:
        raise StateConflict(
            "server.unloaded",
            f"{table.label} is not on the server",
            expected="a loaded table",
            found="none",
            hint=f"quant warehouse load {table.label}",
        )
    if versions and table.label in versions and versions[table.label] != held.version:
        raise StateConflict(
            "server.version",
            f"the server holds another version of {table.label}",
            expected=str(versions[table.label]),
            found=str(held.version),
            hint="quant data sql --engine clickhouse reads every version from the lake",
        )
    return QueryTable(table.schema, table.name, table.ref, table.folder, held.version)


def _renamed(sql: str, names: Mapping[str, str]) -> str:
    """``source.table`` as the server calls it; texts and comments stay as they are."""
    skipped = r"(--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*')"
    for label, name in names.items():
        if "." in label:
            own = r"[`\"]?\s*\.\s*[`\"]?".join(map(re.escape, label.split(".")))
            sql = re.sub(
                rf"{skipped}|[`\"]?\b{own}\b[`\"]?", partial(_kept_or, f"`{name}`"), sql, flags=re.DOTALL
            )
    return sql


def _kept_or(name: str, found: re.Match[str]) -> str:
    return found[1] or name


def ref_label(ref: TableRef) -> str:
    """A table as queries and commands name it."""
    return f"{ref.source}.{ref.table}" if ref.source else ref.table
