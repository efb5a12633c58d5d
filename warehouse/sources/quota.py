"""What a vendor still lets us ask: one book of calls for all processes of a user, in SQLite.

A call counts from the moment it is allowed until a minute after its answer came, so that however long it was
under way the vendor never sees more than the limit in any sixty seconds.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from quant.core.errors import QuantError, TransientError
from quant.core.hashing import digest
from quant.core.time import NS_PER_SECOND, to_datetime, utc_now
from quant.warehouse.secrets import resolve_secret
from quant.warehouse.sources.settings import LimitSettings, SourceSettings

VARIABLE: Final = "QUANT_QUOTA_DB"
WINDOW_S: Final = 60.0
LOST_S: Final = 900.0
"""A call whose answer never came (its process was killed) counts this long at most."""
KEEP_DAYS: Final = 8
NOTE_S: Final = 5.0
"""Waits longer than this are said."""
_SCHEMA: Final = """
create table if not exists calls (
  id integer primary key, account text not null, day text not null,
  begun integer not null, ended integer
);
create index if not exists calls_by_end on calls (account, ended, begun);
create index if not exists calls_by_day on calls (account, day);
"""
_log = logging.getLogger("quant.vendors")


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls of an account in the last minute and on this day."""

    minute: int
    day: int


def quota_path(configured: str | Path | None = None) -> Path:
    """Where the book lies: the environment, else the setting ``paths.quota``, else the user's own folder."""
    given = os.environ.get(VARIABLE) or configured
    if given:
        return Path(given).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "quant" / "quota.db"


def quota_spent(settings: SourceSettings, path: Path | None = None) -> Spent:
    """What a source's account has used up, for status; nothing where its secret cannot be had."""
    try:
        secret = resolve_secret(settings.secret) if settings.secret else ""
    except QuantError:
        return Spent(0, 0)
    key = account_of(settings, secret)
    return Quota(path or quota_path(settings.limits.book)).spent(key, settings.timezone)


def account_of(settings: SourceSettings, secret: str) -> str:
    """Whose calls a source makes. Of a client that knows many exchanges each is a vendor of its own."""
    exchange = settings.options.get("exchange")
    return account_key(f"{settings.provider} {exchange}" if exchange else settings.provider, secret)


def account_key(provider: str, secret: str) -> str:
    """Whose calls are counted together: a vendor's account, named by a digest that tells nothing."""
    return f"{provider}:{digest(f'quant account {provider} {secret}')[:16] if secret else 'public'}"


class Quota:
    """The book of calls, for the threads of one process. ``window`` is the vendor's minute; tests shorten it.

    The book stays open between calls, since closing it waits for the disk: a power cut may lose the last
    calls of it, a kill none.
    """

    def __init__(
        self,
        path: Path,
        *,
        window: float = WINDOW_S,
        now: Callable[[], int] = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path = path
        self._window = round(window * NS_PER_SECOND)
        self._now = now
        self._sleep = sleep
        self._book: sqlite3.Connection | None = None
        self._inside = threading.Lock()

    def close(self) -> None:
        """Close the book until the next call."""
        with self._inside:
            if self._book is not None:
                self._book.close()
                self._book = None

    @contextlib.contextmanager
    def call(self, account: str, limits: LimitSettings, zone: str) -> Iterator[None]:
        """One call inside the limits: waits for its turn, and counts until it has ended.

        Raises TransientError ``vendor.quota`` when the day's calls are used up.
        """
        if limits.per_minute is None and limits.per_day is None:
            yield
            return
        number = self._take(account, limits, zone)
        try:
            yield
        finally:
            self._end(number)

    def spent(self, account: str, zone: str) -> Spent:
        """What is used up now."""
        if not self._path.exists():
            return Spent(0, 0)
        moment = self._now()
        with self._open() as book:
            return Spent(
                len(self._counting(book, account, moment)), _on_day(book, account, _day(moment, zone))
            )

    def _take(self, account: str, limits: LimitSettings, zone: str) -> int:
        waited, said = 0.0, False
        while True:
            got, pause = self._try(account, limits, zone)
            if got is not None:
                return got
            waited += pause
            if waited > NOTE_S and not said:
                said = True
                _log.warning(
                    "%s: %s calls a minute are used up, waiting", account.split(":")[0], limits.per_minute
                )
            self._sleep(pause)

    def _try(self, account: str, limits: LimitSettings, zone: str) -> tuple[int | None, float]:
        """The number of an allowed call, or the seconds until one may be allowed."""
        moment = self._now()
        day = _day(moment, zone)
        with self._open() as book:
            book.execute("begin immediate")
            try:
                if limits.per_day is not None:
                    _refuse_spent(account, _on_day(book, account, day), limits.per_day, moment, zone)
                waiting = self._counting(book, account, moment)
                if limits.per_minute is not None and len(waiting) >= limits.per_minute:
                    freed = sorted(waiting)[len(waiting) - limits.per_minute]
                    return None, max((freed - moment) / NS_PER_SECOND, 0.001)
                row = book.execute(
                    "insert into calls (account, day, begun) values (?, ?, ?)", (account, day, moment)
                )
                return row.lastrowid, 0.0
            finally:
                book.execute("commit")

    def _counting(self, book: sqlite3.Connection, account: str, moment: int) -> list[int]:
        """The earliest instants at which the calls that still count may stop counting."""
        lost = moment - round(LOST_S * NS_PER_SECOND)
        rows = book.execute(
            "select ended from calls where account = ? and (ended > ? or (ended is null and begun > ?))",
            (account, moment - self._window, lost),
        ).fetchall()
        return [(moment if ended is None else ended) + self._window for (ended,) in rows]

    def _end(self, number: int) -> None:
        with self._open() as book:
            book.execute("update calls set ended = ? where id = ?", (self._now(), number))

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The open book, for one thread at a time. Raises TransientError ``vendor.book``."""
        try:
            with self._inside:
                if self._book is None:
                    self._book = _opened(self._path, self._now() - KEEP_DAYS * 86_400 * NS_PER_SECOND)
                yield self._book
        except (sqlite3.Error, OSError) as error:
            raise TransientError(
                "vendor.book",
                "the calls of the vendors cannot be counted",
                expected=f"a database at {self._path} that can be written",
                found=f"{type(error).__name__}: {error}",
                hint=f"free space, remove it if it is broken, or set paths.quota or {VARIABLE}",
            ) from error


def _opened(path: Path, oldest: int) -> sqlite3.Connection:
    """The book without the calls before ``oldest``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    book = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    try:
        book.execute("pragma journal_mode = wal")
        book.execute("pragma synchronous = normal")
        book.executescript(_SCHEMA)
        book.execute("delete from calls where begun < ?", (oldest,))
    except BaseException:
        book.close()
        raise
    return book


def _on_day(book: sqlite3.Connection, account: str, day: str) -> int:
    found = book.execute("select count(*) from calls where account = ? and day = ?", (account, day))
    return int(found.fetchone()[0])


def _day(moment: int, zone: str) -> str:
    return to_datetime(moment).astimezone(ZoneInfo(zone)).date().isoformat()


def _refuse_spent(account: str, used: int, allowed: int, moment: int, zone: str) -> None:
    if used < allowed:
        return
    local = to_datetime(moment).astimezone(ZoneInfo(zone))
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), local.tzinfo)
    raise TransientError(
        "vendor.quota",
        f"{account.split(':')[0]}: the calls of this day are used up",
        expected=f"at most {allowed} calls a day",
        found=f"{used} calls on {local.date()}",
        hint=f"run the command again after {midnight:%Y-%m-%d %H:%M} ({zone}); what has arrived is kept",
    )
