"""What a worked case gives, read with errors that name the field."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from quant.core.errors import UsageError
from quant.core.money import INT64_MAX

__all__ = ["Given"]


class Given(dict[str, Any]):
    """The ``given`` mapping of a case; a field that is asked for and not there is a UsageError."""

    def __missing__(self, name: str) -> Any:
        raise UsageError(
            "case.given",
            f"the case does not give {name}",
            expected=name,
            found=", ".join(self) or "nothing",
        )

    def text(self, name: str) -> str:
        value = self[name]
        if not isinstance(value, str):
            raise self._wrong(name, "a text in quotes")
        return value

    def day(self, name: str) -> date:
        try:
            return date.fromisoformat(self.text(name))
        except ValueError:
            raise self._wrong(name, "a date as 2024-06-03") from None

    def count(self, name: str, default: int | None = None) -> int:
        """A whole number; with a default ``null`` counts as not given."""
        value = self[name] if default is None else self.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > INT64_MAX:
            raise self._wrong(name, "a whole number of 64 bits")
        return value

    def number(self, name: str, default: str | None = None) -> Decimal:
        """A number; ``null`` counts as not given."""
        value = self.get(name) if default is not None else self[name]
        if value is None and default is not None:
            return Decimal(default)
        return self._decimal(name, value)

    def number_or_none(self, name: str) -> Decimal | None:
        value = self.get(name)
        return None if value is None else self._decimal(name, value)

    def choice(self, name: str, *allowed: str, default: str | None = None) -> str:
        value = self.get(name, default) if default is not None else self[name]
        if value not in allowed:
            raise self._wrong(name, " or ".join(allowed))
        return str(value)

    def _decimal(self, name: str, value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise self._wrong(name, "a decimal number")
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self._wrong(name, "a decimal number") from None
        if not number.is_finite():
            raise self._wrong(name, "a finite number")
        return number

    def _wrong(self, name: str, expected: str) -> UsageError:
        return UsageError(
            "case.given", f"{name} is not {expected}", expected=expected, found=repr(self[name])
        )
