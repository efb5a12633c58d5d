"""What an adapter around a vendor's SDK is: how an interval is cut into calls, and what one call gives.

Everything that all vendors share (quota, retries, timeouts, splitting full pages, resuming, secrets, drift)
stands once, in ``warehouse.sources.calling``; an adapter only knows its vendor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Literal, Protocol

from quant.core.hashing import fingerprint
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import SourceSettings

if TYPE_CHECKING:
    import polars as pl

Trouble = Literal["transient", "quota", "refused", "invalid"]
"""transient: try again; quota: wait, then try again; refused: credentials or rights, never again;
invalid: the vendor's answer or our question makes no sense, never again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question to a vendor. ``params`` are plain text, numbers and lists: never a secret, never "today".
    ``rows`` is about how many rows must come, 0 = unknown or perhaps none: an answer without rows, or with
    far fewer, is doubted and asked for again.
    """

    endpoint: str
    params: Mapping[str, object] = field(default_factory=dict)
    rows: int = 0

    @property
    def key(self) -> str:
        """The same for the same question."""
        return fingerprint({"endpoint": self.endpoint, "params": {k: str(v) for k, v in self.params.items()}})


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call gave: bytes that can be read again without the vendor, and how many rows they hold.
    ``empty_is_known``: the vendor said that there are no rows, not merely said nothing.
    """

    content: bytes
    media_type: str
    rows: int
    empty_is_known: bool = True


class VendorFault(Exception):
    """What an adapter raises for a call that failed; ``retry_after`` in seconds where the vendor says it."""

    def __init__(self, trouble: Trouble, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class VendorWorld:
    """What an adapter may ask of the workspace. ``codes(start, end)`` are the exchange codes (600519.SH) that
    were listed at any time in the range, from the source's own instruments or the spec's ``codes``.
    ``secret()`` resolves the source's secret, "" where it has none.
    """

    codes: Callable[[date, date], Sequence[str]]
    secret: Callable[[], str]


class VendorAdapter(Protocol):
    """One vendor. Made by ``factory(settings, world)``; the SDK is imported on the first ``ask``."""

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        """The calls that together fetch ``[start, end]`` of a dataset, all its endpoints."""
        ...

    def ask(self, call: Call, timeout: float) -> Answer:
        """Put one call through the SDK. Raises VendorFault; an HTTP error is never an empty answer."""
        ...

    def split(self, call: Call) -> Sequence[Call]:
        """Smaller calls that together are ``call``, when its page was full; () when it cannot be split. The
        first may be ``call`` itself: its page is then kept, and the others bring what comes after it.
        """
        ...

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns, numbers as text where the wire has text. ``payload.request`` holds
        ``endpoint`` and the call's params.
        """
        ...

    def close(self) -> None:
        """End connections and helper processes; a later ``ask`` opens them again."""
        ...


AdapterFactory = Callable[[SourceSettings, VendorWorld], VendorAdapter]
