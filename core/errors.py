"""The error tree. An error is data; its text for people is made in ``qcli``.

QuantError            exit 1   a handled failure
├── UsageError        exit 2   wrong arguments
├── SpecError         exit 2   one fault in a spec; collected into SpecErrors
├── SpecErrors        exit 2   every fault of every file at once
├── CheckFailed       exit 3   a check, audit, gate or parity failed
├── TransientError    exit 4   retry is safe
├── StateConflict     exit 5   locked, stale plan, a format newer than this program
├── PolicyRefused     exit 6   role, approval, risk, halt
├── MissingComponent  exit 7   an optional component is not installed
├── RuleMissing       exit 1   no dated row of a market table covers the question
└── InvariantBroken   exit 1   a bug of ours; stops the session
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file; lines and columns count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong, where, what was expected, what was found, and how to mend it."""

    code: str
    message: str
    where: Location | None = None
    expected: str | None = None
    found: str | None = None
    hint: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        """The object printed under ``error`` with ``--json``."""
        return {
            "code": self.code,
            "message": self.message,
            "where": str(self.where) if self.where else None,
            "expected": self.expected,
            "found": self.found,
            "hint": self.hint,
        }


class QuantError(Exception):
    """Root of every expected failure. ``fault`` carries the data, ``exit_code`` the process result."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        where: Location | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.fault = Fault(code, message, where, expected, found, hint)
        super().__init__(message)

    def __str__(self) -> str:
        fault = self.fault
        place = f"{fault.where}: " if fault.where else ""
        return f"{place}{fault.message}"

    def located(self, where: Location) -> QuantError:
        """This error with its place filled in, unless it already has one."""
        if self.fault.where is None:
            self.fault = replace(self.fault, where=where)
        return self


class UsageError(QuantError):
    exit_code = 2


class SpecError(QuantError):
    exit_code = 2


class SpecErrors(QuantError):
    """All faults of all files, in file and line order."""

    exit_code = 2

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors: tuple[SpecError, ...] = tuple(sorted(errors, key=lambda e: _order(e.fault)))
        first = self.errors[0].fault if self.errors else Fault("spec.invalid", "invalid spec")
        count = len(self.errors)
        message = first.message if count == 1 else f"{count} errors in the specs"
        super().__init__(
            first.code,
            message,
            where=first.where,
            expected=first.expected,
            found=first.found,
            hint=first.hint,
        )


def _order(fault: Fault) -> tuple[str, int, int, str]:
    where = fault.where or Location("")
    return where.file, where.line, where.column, fault.message


class CheckFailed(QuantError):
    exit_code = 3


class TransientError(QuantError):
    exit_code = 4


class StateConflict(QuantError):
    exit_code = 5


class PolicyRefused(QuantError):
    exit_code = 6


class MissingComponent(QuantError):
    exit_code = 7


class RuleMissing(QuantError):
    """No row of a dated market table matches key and date; the newest row never stands in for history."""

    exit_code = 1


class InvariantBroken(QuantError):
    """Must never happen; the session stops rather than go on with a wrong book."""

    exit_code = 1
