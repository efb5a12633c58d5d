"""How the sources of a table are brought to agree, as plain data. Needs the standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from quant.core.errors import SpecError

Rule = Literal["vote", "priority", "tolerance", "freshest"]
Otherwise = Literal["prefer", "null", "quarantine"]
AGREED_BY: Final = "+"
"""Joins the names of sources; a source's name cannot hold it."""
MAX_DECIMALS: Final = 9
FLOAT_NOISE: Final = Decimal("1e-9")
"""Floats that differ relatively by less say the same: vendors print them with different digits."""


@dataclass(frozen=True, slots=True)
class Margin:
    """Two values agree when they differ by at most ``abs``, or by at most ``rel`` of the larger one."""

    abs: Decimal = Decimal(0)
    rel: Decimal = Decimal(0)

    def __str__(self) -> str:
        parts = [f"{self.abs.normalize():f}"] if self.abs else []
        parts += [f"{(self.rel * 100).normalize():f}%"] if self.rel else []
        return " or ".join(parts) or "0"


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one column is agreed. ``quorum`` None: more than half of the sources that state a value."""

    rule: Rule = "priority"
    quorum: int | None = None
    prefer: tuple[str, ...] = ()
    otherwise: Otherwise = "prefer"
    margin: Margin = Margin()


@dataclass(frozen=True, slots=True)
class ArbitrationSettings:
    """The rule of a table; ``columns`` have rules of their own. ``prefer`` names sources before the others.

    ``needs``: how many sources must have delivered an interval before it is agreed. Until then the golden
    table stays as it was.
    """

    rule: Rule = "priority"
    quorum: int | None = None
    prefer: tuple[str, ...] = ()
    otherwise: Otherwise = "prefer"
    tolerance: Mapping[str, Margin] = field(default_factory=dict)
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)
    needs: int = 1

    def column(self, name: str) -> ColumnRule:
        """The rule of one column with everything it inherits."""
        own = self.columns.get(name)
        if own is not None:
            return own
        margin = self.tolerance.get(name, Margin())
        return ColumnRule(self.rule, self.quorum, self.prefer, self.otherwise, margin)

    def as_plain(self) -> dict[str, object]:
        """Data with canonical bytes, for fingerprints."""
        return {
            "rule": self.rule,
            "quorum": self.quorum,
            "prefer": list(self.prefer),
            "otherwise": self.otherwise,
            "needs": self.needs,
            "tolerance": {name: _plain_margin(m) for name, m in sorted(self.tolerance.items())},
            "columns": {name: _plain_rule(rule) for name, rule in sorted(self.columns.items())},
        }


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What a comparison of the table's sources may find: ``max_diff_rate`` is the share of compared cells
    that may differ without a good reason (defects count, also recognised ones), ``severity`` whether more
    than that fails the run. ``tolerance`` by column.
    """

    max_diff_rate: Decimal = Decimal("0.001")
    severity: Literal["error", "warn"] = "warn"
    tolerance: Mapping[str, Margin] = field(default_factory=dict)


def ordered(sources: Sequence[str], prefer: Sequence[str]) -> list[str]:
    """The sources, those that are preferred first."""
    first = [name for name in prefer if name in sources]
    return [*first, *(name for name in sources if name not in first)]


def refuse_unsound(
    table: str, settings: ArbitrationSettings, sources: Sequence[str], nullable: Mapping[str, bool]
) -> None:
    """Refuse rules that can never be kept. ``nullable`` holds the columns that sources vote on.

    Raises SpecError ``table.arbitrate``.
    """
    for name in sorted({*settings.columns, *settings.tolerance}):
        if name not in nullable:
            raise _unsound(table, f"there is no column {name!r} to agree on", ", ".join(nullable), name)
    named = {*settings.prefer, *(n for rule in settings.columns.values() for n in rule.prefer)}
    for name in sorted(named):
        if name not in sources:
            raise _unsound(
                table, f"prefer names {name!r}, which is no source of it", ", ".join(sources), name
            )
    if settings.needs > len(sources):
        raise _unsound(table, "more sources are needed than there are", f"at most {len(sources)}",
                       str(settings.needs))  # fmt: skip
    for name, may_be_null in nullable.items():
        rule = settings.column(name)
        if rule.margin.rel % Decimal(1).scaleb(-MAX_DECIMALS):
            expected = f"at most {MAX_DECIMALS} decimals"
            raise _unsound(
                table, f"{name}: the relative tolerance is too fine", expected, str(rule.margin.rel)
            )
        if rule.quorum is not None and rule.quorum > len(sources):
            raise _unsound(table, f"{name}: the quorum can never be reached", f"at most {len(sources)}",
                           str(rule.quorum))  # fmt: skip
        if rule.otherwise == "null" and not may_be_null and name in settings.columns:
            raise _unsound(
                table, f"{name} must always be given", "otherwise: prefer, or quarantine", "otherwise: null"
            )


def _unsound(table: str, message: str, expected: str, found: str) -> SpecError:
    return SpecError(
        "table.arbitrate",
        f"table {table}: {message}",
        expected=expected,
        found=found,
        hint=f"mend arbitrate: in the spec of table {table}",
    )


def _plain_margin(margin: Margin) -> list[str]:
    return [f"{margin.abs.normalize():f}", f"{margin.rel.normalize():f}"]


def _plain_rule(rule: ColumnRule) -> dict[str, object]:
    return {
        "rule": rule.rule,
        "quorum": rule.quorum,
        "prefer": list(rule.prefer),
        "otherwise": rule.otherwise,
        "margin": _plain_margin(rule.margin),
    }
