"""Framed inputs and outputs of the kernel: one immutable batch of rows at one instant, with canonical bytes.

Encoding (little endian, version 2)::

    magic "QB" | version u8 | kind u8 | phase u8 | columns u8 | ts i64 | t i32 | n i32
    SLICE:  market content hash, 32 bytes
    other:  per column in the order of the schema: count u32 | values, little endian, at the schema's width

A slice names its cells by the market's content hash instead of repeating them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from quant.core.errors import StateConflict, UsageError

if TYPE_CHECKING:
    from quant.native.market import Market

Column = NDArray[Any]


class BatchKind(IntEnum):
    SLICE = 0
    INTENTS = 1
    REPORTS = 2
    CONTROL = 3
    COMMANDS = 4


class Phase(IntEnum):
    """The instants of a session, in the order of the market's ``instants`` columns."""

    PREOPEN = 0
    OPEN = 1
    DECIDE = 2
    CLOSE = 3


class IntentKind(IntEnum):
    WEIGHT = 0
    QUANTITY = 1
    ORDER = 2
    CANCEL = 3
    REPLACE = 4


class OrderKind(IntEnum):
    """STOP and STOP_LIMIT wait for their stop price; auction orders trade in their auction or not at all."""

    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    OPEN_AUCTION = 4
    CLOSE_AUCTION = 5


class Tif(IntEnum):
    """Good for the day, till cancelled, immediate or cancel, fill or kill."""

    DAY = 0
    GTC = 1
    IOC = 2
    FOK = 3


class Action(IntEnum):
    NEW = 0
    CANCEL = 1
    REPLACE = 2


class ReportKind(IntEnum):
    ACK = 0
    FILL = 1
    CANCELLED = 2
    REJECTED = 3
    EXPIRED = 4
    CANCEL_REJECTED = 5
    REPLACED = 6
    REPLACE_REJECTED = 7
    TRIGGERED = 8
    CARRIED = 9


class ControlKind(IntEnum):
    PAUSE = 0
    RESUME = 1
    HALT = 2
    RESET = 3
    FORBID = 4
    ALLOW = 5


SCHEMAS: Final[Mapping[BatchKind, Mapping[str, str]]] = {
    BatchKind.SLICE: {},
    BatchKind.INTENTS: {
        "instrument": "<i4", "kind": "u1", "weight": "<i8", "quantity": "<i8", "side": "i1",
        "price": "<i8", "tif": "u1", "tag": "<i4", "order_kind": "u1", "stop": "<i8", "order_id": "<i8",
    },
    BatchKind.REPORTS: {"order_id": "<i8", "kind": "u1", "quantity": "<i8", "price": "<i8", "reason": "<u2"},
    BatchKind.CONTROL: {"kind": "u1", "value": "<i8", "note": "u1"},
    BatchKind.COMMANDS: {
        "order_id": "<i8", "action": "u1", "instrument": "<i4", "side": "i1", "quantity": "<i8",
        "price": "<i8", "tif": "u1", "target": "u1", "kind": "u1", "stop": "<i8", "protect": "<i8",
    },
}  # fmt: skip

BATCH_MAGIC: Final = b"QB"
_VERSION: Final = 2
_HEADER: Final = struct.Struct("<2sBBBBqii")
_HASH: Final = 32
_KINDS: Final = frozenset(int(kind) for kind in BatchKind)
_PHASES: Final = frozenset(int(phase) for phase in Phase)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """``n`` rows of one kind at instant ``ts`` (ns UTC), session row ``t``.

    Columns follow :data:`SCHEMAS`; a control batch is one event whose ``note`` column holds UTF-8 bytes.
    ``market_hash`` is set for slices only.
    """

    kind: BatchKind
    ts: int
    phase: Phase
    t: int
    n: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)
    market: Market | None = field(default=None, repr=False)
    named_hash: str = ""

    @classmethod
    def slice(cls, market: Market, t: int, phase: Phase) -> Batch:
        """The bar of all instruments at session row ``t`` as known at ``phase``."""
        return cls(BatchKind.SLICE, market.instant(t, phase), phase, t, market.S, {}, market)

    @classmethod
    def of(cls, kind: BatchKind, ts: int, phase: Phase, t: int, /, **columns: object) -> Batch:
        """A batch from column values; absent columns are zero.

        Raises:
            UsageError: a column the kind does not have, or columns of unequal length.
        """
        schema = SCHEMAS[kind]
        if unknown := set(columns) - set(schema):
            raise UsageError(
                "batch.column",
                f"{kind.name} has no column {sorted(unknown)[0]!r}",
                expected=", ".join(schema),
                found=sorted(unknown)[0],
            )
        given = {k: np.atleast_1d(np.asarray(v, dtype=schema[k])) for k, v in columns.items()}
        lengths = {len(v) for k, v in given.items() if k != "note"}
        if len(lengths) > 1:
            raise UsageError("batch.length", "columns have unequal lengths", found=str(sorted(lengths)))
        n = lengths.pop() if lengths else 0
        full = {k: given.get(k, np.zeros(0 if k == "note" else n, d)) for k, d in schema.items()}
        return cls(kind, ts, phase, t, n, full)

    @classmethod
    def control(
        cls, kind: ControlKind, ts: int, phase: Phase, t: int, *, value: int = 0, note: str = ""
    ) -> Batch:
        """One control event; ``value`` is the instrument index of FORBID and ALLOW."""
        text = np.frombuffer(note.encode(), dtype="u1")
        return cls.of(BatchKind.CONTROL, ts, phase, t, kind=[int(kind)], value=[value], note=text)

    @property
    def market_hash(self) -> str:
        return self.market.content_hash if self.market is not None else self.named_hash

    @property
    def note(self) -> str:
        return bytes(self.columns["note"].tobytes()).decode()

    def encode(self) -> bytes:
        """Canonical bytes: equal batches give equal bytes on every machine."""
        schema = SCHEMAS[self.kind]
        head = (BATCH_MAGIC, _VERSION, self.kind, self.phase, len(schema), self.ts, self.t, self.n)
        parts = [_HEADER.pack(*head)]
        if self.kind is BatchKind.SLICE:
            parts.append(bytes.fromhex(self.market_hash))
        for name, dtype in schema.items():
            values = np.ascontiguousarray(self.columns[name], dtype=dtype)
            parts += [struct.pack("<I", len(values)), values.tobytes()]
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes, market: Market | None = None) -> Batch:
        """Inverse of :meth:`encode`; a slice is bound to ``market`` if given.

        Raises:
            StateConflict: not a batch, damaged, a newer version, or a slice of another market.
        """
        magic, version, kind_code, phase, count, ts, t, n = _unpack_header(data)
        if magic != BATCH_MAGIC or version != _VERSION:
            raise StateConflict(
                "batch.format",
                "not a batch this program can read",
                expected=f"version {_VERSION}",
                found=f"version {version}",
            )
        known = kind_code in _KINDS and phase in _PHASES
        if not known or n < 0 or count != len(SCHEMAS[BatchKind(kind_code)]):
            raise _damaged("its header makes no sense")
        kind, offset = BatchKind(kind_code), _HEADER.size
        if kind is BatchKind.SLICE:
            if len(data) != offset + _HASH:
                raise _damaged(f"a slice names its market with {_HASH} bytes")
            named = data[offset:].hex()
            if market is not None and market.content_hash != named:
                raise StateConflict(
                    "batch.market",
                    "the slice names another market",
                    expected=named,
                    found=market.content_hash,
                )
            return cls(kind, ts, Phase(phase), t, n, {}, market, named)
        columns: dict[str, Column] = {}
        for name, dtype in SCHEMAS[kind].items():
            columns[name] = _read_column(data, offset, dtype)
            offset += 4 + columns[name].nbytes
        batch = cls(kind, ts, Phase(phase), t, n, columns)
        batch._check(len(data) - offset)
        return batch

    def _check(self, left: int) -> None:
        if left or any(len(column) != self.n for name, column in self.columns.items() if name != "note"):
            raise _damaged("its columns do not fit its length")
        if self.kind is BatchKind.CONTROL:
            try:
                self.note.encode()
            except UnicodeDecodeError:
                raise _damaged("its note is not UTF-8") from None
            if self.n != 1:
                raise _damaged("a control batch is one event")


def _damaged(why: str) -> StateConflict:
    return StateConflict("batch.format", f"a batch frame is damaged: {why}")


def _read_column(data: bytes, offset: int, dtype: str) -> Column:
    if len(data) < offset + 4:
        raise _damaged("it is cut short")
    (length,) = struct.unpack_from("<I", data, offset)
    if len(data) - offset - 4 < length * np.dtype(dtype).itemsize:
        raise _damaged("it is cut short")
    return np.frombuffer(data, dtype=dtype, count=length, offset=offset + 4)


def _unpack_header(data: bytes) -> tuple[bytes, int, int, int, int, int, int, int]:
    if len(data) < _HEADER.size:
        raise StateConflict("batch.format", "a batch frame is cut short", found=f"{len(data)} bytes")
    return _HEADER.unpack_from(data)
