"""What all vendors share: quota, retries, full pages, doubts, resuming.

An adapter knows its vendor; this layer decides when a question is put, whether the answer can be believed,
and what a failure means. An answer is stored before it counts as arrived, so that a kill loses nothing and no
question is put twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from quant.core.errors import CheckFailed, QuantError, TransientError
from quant.core.time import to_datetime, utc_now
from quant.warehouse.payloads import PayloadStore
from quant.warehouse.secrets import redact
from quant.warehouse.sources.doubts import Doubt, inspect
from quant.warehouse.sources.drift import Shapes
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.quota import Quota, account_of, quota_path
from quant.warehouse.sources.received import Arrived, Received
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import Answer, Call, VendorAdapter, VendorFault, VendorWorld
from quant.warehouse.store import Storage

if TYPE_CHECKING:
    from tenacity import RetryCallState

LONGEST_WAIT_S: Final = 900.0
"""A vendor that asks to wait longer is answered by ending: exit 4, and what has arrived is kept."""
LONGEST_PAUSE_S: Final = 30.0
QUOTA_PAUSE_S: Final = 61.0
DOUBTED: Final = 3
"""How often an odd answer is asked for at most."""
_log = logging.getLogger("quant.vendors")


@dataclass(frozen=True, slots=True)
class _Question:
    """One call inside the fetch of an interval."""

    call: Call
    dataset: str
    end: date


@dataclass(frozen=True, slots=True)
class _Page:
    """A stored answer, and its columns where they have been read."""

    call: Call
    payload: Payload
    rows: int
    frame: pl.DataFrame | None = None


class _Odd(Exception):
    """An answer that is doubted, while it may still be asked for again."""

    def __init__(self, doubt: Doubt, page: _Page) -> None:
        super().__init__(doubt.message)
        self.doubt = doubt
        self.page = page


class CallingSource:
    """A vendor behind the port of sources. ``lake`` is where payloads and the memory of arrived answers lie;
    without it nothing is stored and nothing can be resumed. ``table`` is the table that is being filled.
    """

    def __init__(
        self,
        settings: SourceSettings,
        adapter: VendorAdapter,
        world: VendorWorld,
        *,
        lake: Storage | None = None,
        table: str | None = None,
        quota: Quota | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], int] = utc_now,
    ) -> None:
        self._settings = settings
        self._adapter = adapter
        self._world = world
        self._lake = lake
        self._table = table
        self._store = PayloadStore(lake) if lake is not None else None
        self._quota = quota or Quota(quota_path(settings.limits.book))
        self._sleep = sleep
        self._now = now
        self._seen: dict[tuple[str, str], str] = {}
        self._inside = threading.Lock()

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]:
        """The payloads of every call of the interval, in the order of the calls.

        Raises TransientError ``vendor.unreachable``, ``vendor.quota``, ``vendor.empty``, ``vendor.short``;
        CheckFailed ``vendor.schema``, ``vendor.truncated``, ``vendor.repeated``, ``vendor.unasked``,
        ``vendor.clock``, ``vendor.answer``; QuantError ``vendor.refused``.
        """
        self._seen.clear()
        settings = self._settings.dataset(dataset)
        aside = self._table is not None and dataset != self._table
        received = None
        if self._lake is not None:
            received = Received(self._lake, self._settings, dataset, aside=aside)
        shapes = Shapes.open(self._lake, self._settings, settings)
        questions = [_Question(call, dataset, end) for call in self._adapter.calls(dataset, start, end)]
        try:
            for pages in self._ordered(questions, received):
                for page in pages:
                    frame = self._adapter.parse(page.payload) if page.frame is None else page.frame
                    shapes.add(page.call.endpoint, frame, page.payload.digest)
                    yield page.payload
        finally:
            self.close()
        shapes.close()

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """The questions of an interval; none is put."""
        return self._adapter.calls(dataset, start, end)

    def probe(self, dataset: str, call: Call, end: date) -> tuple[Payload, pl.DataFrame]:
        """One question on its own, under the same limits and doubts; its answer is stored, not remembered."""
        page = self._patiently(_Question(call, dataset, end))
        return page.payload, self._adapter.parse(page.payload)

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns. Raises CheckFailed ``payload.unreadable``."""
        try:
            return self._adapter.parse(payload)
        except QuantError:
            raise
        except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise CheckFailed(
                "payload.unreadable",
                f"a payload of {self._settings.name} cannot be read",
                expected=payload.media_type,
                found=redact(f"{type(error).__name__}: {error}".splitlines()[0][:200]),
            ) from None

    def close(self) -> None:
        """End connections and helper processes."""
        self._adapter.close()
        self._quota.close()

    # --- order and threads --------------------------------------------------------------------------------

    def _ordered(self, questions: Sequence[_Question], received: Received | None) -> Iterator[list[_Page]]:
        threads = self._threads()
        if threads == 1:
            for question in questions:
                yield self._answered(question, received)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix=f"ask-{self._settings.name}") as pool:
            waiting: deque[Future[list[_Page]]] = deque()
            try:
                for question in questions:
                    waiting.append(pool.submit(self._answered, question, received))
                    if len(waiting) >= 2 * threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for each in waiting:
                    each.cancel()

    def _threads(self) -> int:
        from quant.warehouse.sources.registry import provider

        return self._settings.limits.parallel if provider(self._settings).threads else 1

    # --- one question -------------------------------------------------------------------------------------

    def _answered(self, question: _Question, received: Received | None) -> list[_Page]:
        """The pages that answer a question; a full one is split and asked again."""
        page = self._remembered(question, received) or self._asked(question, received)
        cap = self._settings.page(question.dataset, question.call.endpoint)
        if cap is None or page.rows < cap:
            return [page]
        parts = () if self._settings.limits.on_full_page == "refuse" else self._adapter.split(question.call)
        if not parts:
            raise CheckFailed(
                "vendor.truncated",
                f"{self._settings.name}: the answer to {question.call.endpoint} is a full page, so that rows "
                "may be missing, and the question cannot be made smaller",
                expected=f"fewer than {cap} rows",
                found=f"{page.rows} rows",
                hint="name fewer codes in the source spec, or raise max_rows if the vendor sends more",
            )
        if parts[0].key == question.call.key:  # the next page begins where this one should have ended
            self._refuse_larger(question.call, page, cap)
        else:  # its first half may be the very same rows
            with self._inside:
                self._seen.pop((question.call.endpoint, page.payload.digest), None)
        pages: list[_Page] = []
        for part in parts:
            if part.key == question.call.key:
                pages.append(page)
            else:
                pages += self._answered(replace(question, call=part), received)
        return pages

    def _refuse_larger(self, call: Call, page: _Page, cap: int) -> None:
        if page.rows > cap:
            raise CheckFailed(
                "vendor.page",
                f"{self._settings.name}: the answer to {call.endpoint} holds more rows than the spec says a "
                "page has, so that pages would overlap",
                expected=f"at most {cap} rows",
                found=f"{page.rows} rows",
                hint=f"declare the vendor's real page: max_rows: {page.rows} or more",
            )

    def _remembered(self, question: _Question, received: Received | None) -> _Page | None:
        """The answer that arrived before a kill, where its payload is still there."""
        arrived = received.get(question.call, question.end) if received is not None else None
        if arrived is None or self._store is None:
            return None
        try:
            stored = self._store.get(self._settings.name, arrived.payload)
        except (OSError, ValueError, KeyError, CheckFailed):
            return None
        answer = Answer(stored.content, stored.media_type, arrived.rows)
        payload = _payload(question, answer)
        self._repeated(question.call, answer, payload)
        return _Page(question.call, payload, arrived.rows)

    def _asked(self, question: _Question, received: Received | None) -> _Page:
        page = self._patiently(question)
        if received is not None:
            received.put(question.call, question.end, Arrived(page.payload.digest, page.rows))
        return page

    def _patiently(self, question: _Question) -> _Page:
        """Ask until there is an answer that can be believed, or no hope."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        limits = self._settings.limits
        retrying = Retrying(
            stop=stop_after_attempt(limits.attempts),
            wait=self._pause,
            retry=retry_if_exception(_passes),
            before_sleep=self._say,
            sleep=self._sleep,
            reraise=True,
        )
        doubted = 0

        def once() -> _Page:
            nonlocal doubted
            try:
                return self._once(question)
            except _Odd as odd:
                doubted += 1
                if doubted >= min(DOUBTED, limits.attempts):
                    raise odd.doubt.error(
                        self._settings.name, question.call, odd.page.payload.digest
                    ) from None
                raise

        try:
            return retrying(once)
        except VendorFault as fault:
            raise self._failure(fault, question.call) from None
        except _Odd as odd:  # attempts ran out between doubts and troubles
            raise odd.doubt.error(self._settings.name, question.call, odd.page.payload.digest) from None

    def _once(self, question: _Question) -> _Page:
        settings = self._settings
        account = account_of(settings, self._world.secret())
        with self._quota.call(account, settings.limits, settings.timezone):
            answer = self._adapter.ask(question.call, settings.limits.timeout_s)
        payload = _payload(question, answer)
        page = _Page(question.call, payload, answer.rows)
        if self._store is not None:
            self._store.put(settings.name, payload)
        try:
            page = replace(page, frame=self._adapter.parse(payload))
        except (ValueError, KeyError, TypeError, CheckFailed, pl.exceptions.PolarsError) as error:
            found = redact(f"{type(error).__name__}: {error}".splitlines()[0][:200])
            unread = Doubt("vendor.schema", "the answer cannot be read", payload.media_type, found)
            raise _Odd(unread, page) from None
        doubt = self._doubt(question, answer, page)
        if doubt is not None:
            raise _Odd(doubt, page)
        return page

    def _doubt(self, question: _Question, answer: Answer, page: _Page) -> Doubt | None:
        dataset = self._settings.dataset(question.dataset)
        today = to_datetime(self._now()).astimezone(ZoneInfo(self._settings.timezone)).date()
        assert page.frame is not None
        odd = inspect(page.frame, answer, question.call, dataset, today)
        return odd or self._repeated(question.call, answer, page.payload)

    def _repeated(self, call: Call, answer: Answer, payload: Payload) -> Doubt | None:
        """Whether another call of this fetch had the very same answer."""
        if answer.rows == 0:
            return None
        with self._inside:
            first = self._seen.setdefault((call.endpoint, payload.digest), call.key)
        if first == call.key:
            return None
        return Doubt(
            "vendor.repeated",
            "the answer is the one to another question",
            "an answer of its own",
            f"payload {payload.digest[:12]} again",
        )

    def _pause(self, state: RetryCallState) -> float:
        from tenacity import wait_exponential_jitter

        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, VendorFault):
            if error.retry_after is not None:
                return error.retry_after
            if error.trouble == "quota":
                return QUOTA_PAUSE_S
        first = self._settings.limits.pause_s
        return wait_exponential_jitter(multiplier=first, max=LONGEST_PAUSE_S, jitter=first)(state)

    def _say(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        pause = state.next_action.sleep if state.next_action is not None else 0.0
        _log.info(
            "%s: %s; asking again in %.1f s (attempt %d of %d)",
            self._settings.name,
            redact(str(error)),
            pause,
            state.attempt_number + 1,
            self._settings.limits.attempts,
        )

    def _failure(self, fault: VendorFault, call: Call) -> QuantError:
        """What a vendor's trouble means for the command."""
        name, said = self._settings.name, redact(str(fault))[:300]
        limits, secret = self._settings.limits, self._settings.secret or "none is declared"
        match fault.trouble:
            case "transient":
                return TransientError(
                    "vendor.unreachable",
                    f"{name}: {call.endpoint} could not be fetched in {limits.attempts} attempts",
                    expected="an answer",
                    found=said,
                    hint="run the command again: what has arrived is kept",
                )
            case "quota":
                return TransientError(
                    "vendor.quota",
                    f"{name}: the vendor says that too much was asked",
                    expected="a call inside the vendor's limits",
                    found=said,
                    hint="declare the account's limits (per_minute, per_day) in the source spec",
                )
            case "refused":
                return QuantError(
                    "vendor.refused",
                    f"{name}: the vendor refuses {call.endpoint}",
                    expected="a valid credential with the rights for this endpoint",
                    found=said,
                    hint=f"check the account's rights and the secret ({secret})",
                )
            case "invalid":
                return CheckFailed(
                    "vendor.answer",
                    f"{name}: {call.endpoint} gave an answer that makes no sense",
                    expected="an answer to the question",
                    found=said,
                    hint="check endpoint and params in the source spec",
                )


def _passes(error: BaseException) -> bool:
    """Whether asking again may help."""
    if isinstance(error, VendorFault):
        too_long = error.retry_after is not None and error.retry_after > LONGEST_WAIT_S
        return error.trouble in ("transient", "quota") and not too_long
    return isinstance(error, _Odd)


def _payload(question: _Question, answer: Answer) -> Payload:
    request = {"endpoint": question.call.endpoint, **question.call.params}
    return Payload(question.dataset, answer.content, answer.media_type, request)
