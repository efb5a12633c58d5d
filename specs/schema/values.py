"""The values a spec is written in: numbers with units, dates, codes, names. Money and rates are exact.

A number may be written as ``0.1``, ``10%``, ``25bp``, ``1.5x``, ``10_000_000``, ``1000万`` or ``1亿``.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from quant.core.errors import UsageError
from quant.core.hashing import decimal_text
from quant.core.time import parse_instant
from quant.specs.kinds import NAME

MAX_EXPONENT = 18
_NUMBER = re.compile(r"([-+]?(?:[0-9](?:_?[0-9])*)?(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?)\s*(%|bp|x|万|亿)?")
_UNITS = {
    "%": Decimal("0.01"),
    "bp": Decimal("0.0001"),
    "x": Decimal(1),
    "万": Decimal(10_000),
    "亿": Decimal(100_000_000),
    None: Decimal(1),
}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,31}")
_ENTRY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*(:[A-Za-z_][A-Za-z0-9_]*)?")
_SECRET = re.compile(
    r"(?:keyring:(?://)?[A-Za-z0-9_.-]+/[A-Za-z0-9_./-]+|env:(?://)?[A-Za-z_][A-Za-z0-9_]*"
    r"|file:(?://)?[A-Za-z0-9][A-Za-z0-9_.-]*)"
)
_CRON_PART = re.compile(r"[0-9*,/-]+")


def refuse(message: str, expected: str, hint: str = "") -> PydanticCustomError:
    """A fault with what was expected; the loader adds the place."""
    return PydanticCustomError("quant", "{message}", {"message": message, "expected": expected, "hint": hint})


def number(value: Any, units: tuple[str, ...] = ()) -> Decimal:
    """An exact number from an integer, a decimal or a text with one of ``units``."""
    expected = "a number" + (f", also with {' '.join(units)}" if units else "")
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise refuse("not a number", expected)
    if isinstance(value, str):
        value = _from_text(value, units, expected)
    exact = Decimal(value)
    if not exact.is_finite():
        raise refuse("not a finite number", expected)
    if exact and not -MAX_EXPONENT <= exact.adjusted() <= MAX_EXPONENT:
        raise refuse("an absurd number", f"a number between 1e-{MAX_EXPONENT} and 1e{MAX_EXPONENT}")
    return exact


def _from_text(text: str, units: tuple[str, ...], expected: str) -> Decimal:
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= 64 else None
    if found is None or not any(c.isdigit() for c in found[1]):
        raise refuse("not a number", expected)
    if found[2] and found[2] not in units:
        raise refuse(f"the unit {found[2]} has no meaning here", expected)
    try:
        return Decimal(found[1].replace("_", "")) * _UNITS[found[2]]
    except InvalidOperation:
        raise refuse("not a number", expected) from None


def _bounded(
    units: tuple[str, ...], low: str | None, high: str | None, what: str, *, above: bool = False
) -> BeforeValidator:
    def read(value: Any) -> Decimal:
        exact = number(value, units)
        too_low = low is not None and (exact < Decimal(low) or (above and exact == Decimal(low)))
        if too_low or (high is not None and exact > Decimal(high)):
            raise refuse("an absurd number", what)
        return exact

    return BeforeValidator(read)


def _count(low: int, high: int) -> BeforeValidator:
    def read(value: Any) -> int:
        exact = number(value)
        if exact != exact.to_integral_value():
            raise refuse("not a whole number", f"a whole number from {low} to {high}")
        if not low <= exact <= high:
            raise refuse("an absurd number", f"a whole number from {low} to {high}")
        return int(exact)

    return BeforeValidator(read)


def _date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        hint = ""
        if isinstance(value, int) and re.fullmatch(r"[12][0-9]{7}", str(value)):
            hint = f"write {str(value)[:4]}-{str(value)[4:6]}-{str(value)[6:]}"
        raise refuse("not a date", "a date as 2026-01-05", hint)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise refuse(f"not a date: {error}", "a date of the calendar, as 2026-01-05") from None


def _instant(value: Any) -> datetime:
    try:
        return parse_instant(value)
    except UsageError as error:
        fault = error.fault
        raise refuse("not an instant", fault.expected or "", fault.hint or "") from None


def _matching(pattern: re.Pattern[str], message: str, expected: str) -> BeforeValidator:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise refuse(message, expected)
        return value

    return BeforeValidator(read)


def _code(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        value = f"{value:06d}"
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise refuse("not an instrument code", "a code as 600519.SH, 600519.XSHG, SH600519 or 600519")
    return value


def _text(limit: int) -> BeforeValidator:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise refuse("not a text", "a text", "put it in quotes")
        if len(value) > limit:
            raise refuse("the text is too long", f"at most {limit} characters")
        return value

    return BeforeValidator(read)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise refuse("not a yes or no", "true or false")
    return value


def _pattern(value: Any) -> str:
    expected = "a regular expression with one group and no look-around, as ([0-9]+) .*"
    text = value if isinstance(value, str) else ""
    try:
        groups = re.compile(text).groups
    except re.error as error:
        raise refuse(f"no regular expression: {error}", expected) from None
    if groups != 1 or len(text) > 200 or re.search(r"\(\?[=!<]|\\[0-9]", text):
        raise refuse("cannot be used to extract a text", expected)
    return text


def _relative(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 400 or "\x00" in value:
        raise refuse("not a file pattern", "a path below the source's root, as bars/*.csv")
    parts = re.split(r"[/\\]", value)
    if value.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", value) or ".." in parts:
        raise refuse(
            "the path leaves its root",
            "a path below the source's root, without ..",
            "declare the folder itself as root",
        )
    return value


def _root(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 400 or "\x00" in value:
        raise refuse("not a folder", "a folder, absolute or relative to the workspace")
    if ".." in re.split(r"[/\\]", value):
        raise refuse("the path leaves its root", "a folder without ..", "write the absolute path instead")
    return value


def _cron(value: Any) -> str:
    parts = value.split() if isinstance(value, str) else []
    if len(parts) != 5 or not all(_CRON_PART.fullmatch(p) for p in parts):
        raise refuse("not a cron schedule", 'five fields, as "0 18 * * 1-5"')
    return str(value)


_NUMERIC: dict[str, Any] = {"type": ["number", "string"]}
_EXACT = PlainSerializer(decimal_text, return_type=str, when_used="json")


def _schema(*, pattern: str | None = None, **rest: Any) -> WithJsonSchema:
    base: dict[str, Any] = {"type": "string", **({"pattern": pattern} if pattern else {}), **rest}
    return WithJsonSchema(base)


def _number_schema(text: str) -> WithJsonSchema:
    return WithJsonSchema({**_NUMERIC, "description": text})


_FRACTION_UNITS = ("%", "bp")
_MONEY_UNITS = ("万", "亿")

Rate = Annotated[
    Decimal,
    _bounded(_FRACTION_UNITS, "0", "0.1", "a rate from 0 to 10%, as 2.5bp or 0.00025"),
    _EXACT,
    _number_schema("a rate from 0 to 10%, as 2.5bp or 0.00025"),
]
Share = Annotated[
    Decimal,
    _bounded(_FRACTION_UNITS, "0", "1", "a share above 0 and up to 100%", above=True),
    _EXACT,
    _number_schema("a share above 0 and up to 100%, as 10% or 0.1"),
]
ShareOrNone = Annotated[
    Decimal,
    _bounded(_FRACTION_UNITS, "0", "0.99", "a share from 0 to 99%"),
    _EXACT,
    _number_schema("a share from 0 to 99%, as 5% or 0.05"),
]
Turnover = Annotated[
    Decimal,
    _bounded(_FRACTION_UNITS, "0", "2", "a share above 0 and up to 200%", above=True),
    _EXACT,
    _number_schema("a share above 0 and up to 200%, as 30%"),
]
Multiple = Annotated[
    Decimal,
    _bounded(("x", "%"), "0", "10", "a multiple above 0 and up to 10, as 1.5x", above=True),
    _EXACT,
    _number_schema("a multiple of net asset value, as 1.5x"),
]
Money = Annotated[
    Decimal,
    _bounded(_MONEY_UNITS, "0", "1e12", "an amount from 0 to 1e12, as 10_000_000"),
    _EXACT,
    _number_schema("an amount of money, as 10_000_000 or 1000万"),
]
Cash = Annotated[
    Decimal,
    _bounded(_MONEY_UNITS, "0", "1e12", "an amount above 0 and up to 1e12", above=True),
    _EXACT,
    _number_schema("an amount of money above 0, as 10_000_000 or 1000万"),
]
Tolerance = Annotated[
    Decimal,
    _bounded(_FRACTION_UNITS, "0", "1", "a share from 0 to 100%"),
    _EXACT,
    _number_schema("a share from 0 to 100%, as 0.1%"),
]

Number = Annotated[Decimal, _bounded(("%", "bp"), None, None, "a number"), _EXACT, _number_schema("a number")]
Top = Annotated[int, _count(1, 5_000), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 5000})]
Quantity = Annotated[
    int,
    _count(1, 1_000_000_000_000),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1_000_000_000_000}),
]
Count = Annotated[int, _count(1, 1_024), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1024})]
Calls = Annotated[
    int, _count(1, 100_000_000), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100_000_000})
]
Rows = Annotated[int, _count(0, 10_000), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10_000})]
PriceDecimals = Annotated[int, _count(0, 6), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 6})]
Scale = Annotated[int, _count(2, 10**9), WithJsonSchema({"type": "integer", "minimum": 2, "maximum": 10**9})]
Megabytes = Annotated[
    int, _count(0, 1_048_576), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 1_048_576})
]
Sessions = Annotated[
    int, _count(1, 10_000), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 10_000})
]
Attempts = Annotated[int, _count(1, 20), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 20})]
EndpointName = Annotated[
    str,
    _matching(
        re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}"),
        "not the name of an endpoint",
        "the vendor's own name, as daily or finance.STK_XR_XD",
    ),
    _schema(pattern="^[A-Za-z][A-Za-z0-9_.]*$"),
]
Threads = Annotated[int, _count(1, 32), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 32})]
Port = Annotated[int, _count(1, 65_535), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})]
Seconds = Annotated[
    Decimal,
    _bounded((), "0", "3600", "seconds above 0 and up to 3600", above=True),
    _EXACT,
    _number_schema("seconds above 0 and up to 3600"),
]
Ticks = Annotated[int, _count(0, 1_000), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 1000})]
Shares = Annotated[int, _count(1, 10**12), WithJsonSchema({"type": "integer", "minimum": 1})]
Seed = Annotated[int, _count(0, 2**63 - 1), WithJsonSchema({"type": "integer", "minimum": 0})]
Instruments = Annotated[
    int, _count(1, 5_000), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 5000})
]
Intensity = Annotated[
    Decimal,
    _bounded((), "0", "50", "a number from 0 (never) to 50, 1 being the usual market"),
    _EXACT,
    _number_schema("a number from 0 (never) to 50, 1 being the usual market"),
]

Date = Annotated[date, BeforeValidator(_date), _schema(format="date")]
Instant = Annotated[datetime, BeforeValidator(_instant), _schema(format="date-time")]
Name = Annotated[
    str,
    _matching(NAME, "not a valid name", "lower-case letters, digits, _ and -, a letter first"),
    _schema(pattern=f"^{NAME.pattern}$"),
]
InstrumentCode = Annotated[str, BeforeValidator(_code), WithJsonSchema({"type": ["string", "integer"]})]
Text = Annotated[str, _text(4_000), _schema()]
Expression = Annotated[str, _text(20_000), _schema()]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Entry = Annotated[
    str,
    _matching(_ENTRY, "not a strategy entry", "module:Class, as strategies.ma:MyStrategy"),
    _schema(pattern=f"^{_ENTRY.pattern}$"),
]
Pattern = Annotated[str, BeforeValidator(_pattern), _schema()]
FilePattern = Annotated[str, BeforeValidator(_relative), _schema()]
Folder = Annotated[str, BeforeValidator(_root), _schema()]
Cron = Annotated[str, BeforeValidator(_cron), _schema()]
Secret = Annotated[
    str,
    _matching(
        _SECRET,
        "a secret must be a reference, never the value",
        "keyring://service/name, env://NAME or file://name",
    ),
    _schema(pattern=f"^{_SECRET.pattern}$"),
]
EnvironmentName = Annotated[
    str,
    _matching(re.compile(r"[A-Z][A-Z0-9_]{0,63}"), "not an environment variable", "a name as MARKET_DATA"),
    _schema(pattern="^[A-Z][A-Z0-9_]*$"),
]
LakePlace = Annotated[
    str,
    _matching(
        re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s]*)?|(?!.*://).{1,1024}"),
        "not a place for a lake",
        "a folder, or s3://bucket/prefix",
    ),
    _schema(),
]
ServerAddress = Annotated[
    str,
    _matching(
        re.compile(r"clickhouses?://(?:[^\s:@/]+@)?[^\s:@/]+(?::[0-9]{1,5})?(?:/[A-Za-z_][A-Za-z0-9_]*)?(?:\?\S*)?"),
        "not the address of a ClickHouse server",
        "clickhouse://user@host:8123/database; the password is a reference in `password`",
    ),
    _schema(),
]
