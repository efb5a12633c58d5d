"""Canonical bytes and their digests: the same meaning gives the same bytes on every machine.

Canonical JSON: UTF-8, keys sorted by code point, no blanks, no NaN or infinity. Decimals are strings
without trailing zeros ("0.10" and "0.1" are one value), dates are ISO strings, enums their value,
dataclasses objects of their fields, sets sorted arrays of their canonical members.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from quant.core.errors import QuantError

__all__ = ["canonical_json", "decimal_text", "digest", "fingerprint"]

_PLAIN_EXPONENT: Final = 60


def canonical_json(obj: object) -> bytes:
    """The canonical bytes of plain data.

    Raises QuantError ``hash.unsupported`` for a value without a canonical form (NaN, naive datetimes,
    non-string keys, other types).
    """
    try:
        plain = _plain(obj)
        text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
        return text.encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise QuantError("hash.unsupported", f"no canonical form: {error}") from error


def digest(content: bytes | str) -> str:
    """SHA-256 in hex; text is hashed as UTF-8."""
    return hashlib.sha256(content.encode("utf-8") if isinstance(content, str) else content).hexdigest()


def fingerprint(obj: object) -> str:
    """``digest`` of the canonical bytes of ``obj``."""
    return digest(canonical_json(obj))


def decimal_text(number: Decimal) -> str:
    """The one text of a decimal value: no trailing zeros, no negative zero, plain unless enormous."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise QuantError("hash.unsupported", f"no canonical form of {number}", found=str(number))
    kept = len(digits)
    while kept > 1 and digits[kept - 1] == 0:
        kept -= 1
    if digits[:kept] in ((0,), ()):
        return "0"
    exponent += len(digits) - kept
    stripped = Decimal((sign, digits[:kept], exponent))
    return format(stripped, "f") if abs(exponent) <= _PLAIN_EXPONENT else str(stripped)


def _plain(obj: object) -> Any:
    match obj:
        case Enum():
            return _plain(obj.value)
        case None | bool() | int() | str() | float():
            return obj
        case Decimal():
            return decimal_text(obj)
        case datetime():
            return _moment(obj)
        case date():
            return obj.isoformat()
        case Mapping():
            return {_key(key): _plain(value) for key, value in obj.items()}
        case list() | tuple():
            return [_plain(item) for item in obj]
        case AbstractSet():
            return sorted((_plain(item) for item in obj), key=canonical_json)
        case _ if is_dataclass(obj) and not isinstance(obj, type):
            return {field.name: _plain(getattr(obj, field.name)) for field in fields(obj)}
        case _:
            raise QuantError(
                "hash.unsupported",
                f"no canonical form of {type(obj).__name__}",
                expected="plain data",
                found=type(obj).__name__,
            )


def _key(key: object) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return key
    raise QuantError("hash.unsupported", f"keys must be text, not {type(key).__name__}", found=repr(key))


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise QuantError("hash.unsupported", f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC).isoformat()
