"""The port between the warehouse and whoever has data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from quant.core.hashing import digest as sha256

if TYPE_CHECKING:  # a vendor's own process knows ports and faults, but needs no frames
    import polars as pl


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as received, and the request that got them. ``digest`` is their SHA-256."""

    dataset: str
    content: bytes
    media_type: str
    request: Mapping[str, object] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", sha256(self.content))


class Source(Protocol):
    """Fetches payloads and reads them into vendor columns.

    ``fetch`` may return more than was asked for, never less. ``parse`` is pure: equal payloads give equal
    frames, so that stored payloads can be read again. It does not convert units: a provider without declared
    fields returns our own column names and units, with ``code`` in place of ``instrument_id``.
    """

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]: ...

    def parse(self, payload: Payload) -> pl.DataFrame: ...
