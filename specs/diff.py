"""What changed between two sets of specs, by effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from quant.core.errors import SpecErrors
from quant.core.hashing import decimal_text
from quant.specs.compose import compose_one
from quant.specs.document import Document
from quant.specs.fingerprint import meaning
from quant.specs.registry import Registry
from quant.specs.resolution import ResolvedSpec
from quant.specs.schema.model import Header
from quant.specs.schema.tables import Margin, TableAudit, TableCheck, TableSpec
from quant.specs.validate import validate

Effect: TypeAlias = Literal["breaking", "result-changing", "cosmetic"]
ORDER: tuple[Effect, ...] = ("breaking", "result-changing", "cosmetic")
_SHAPE = {
    "source": ("provider", "datasets", "params", "timezone", "calendar"),
    "table": ("dataset", "from_", "partition"),
    "project": ("paths",),
}
_HARMLESS = {
    "project": ("report", "engine", "profiles", "defaults", "format"),
    "source": ("license", "schedule", "secret", "root", "root_env"),
    "table": ("schedule", "checks", "audit"),
}

_DATA = ("sources", "roots", "from", "from_", "to")
"""Settings of a profile that say which data its runs see."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. breaking: stored data or other documents no longer fit; result-changing: a run gives
    other numbers; cosmetic: neither."""

    effect: Effect
    document: str
    path: str
    old: str
    new: str

    def as_dict(self) -> dict[str, str]:
        return {
            "effect": self.effect,
            "document": self.document,
            "path": self.path,
            "old": self.old,
            "new": self.new,
        }


def diff_registries(old: Registry, new: Registry) -> list[Change]:
    """Every difference between two workspaces, the gravest first. Raises SpecErrors for invalid documents."""
    changes: list[Change] = []
    for key in sorted({*old.documents, *new.documents}):
        before, after = old.documents.get(key), new.documents.get(key)
        if before is None:
            changes.append(Change("cosmetic", key, "", "", "added"))
        elif after is None:
            changes.append(Change("breaking", key, "", "present", "removed"))
        elif (before.tree, before.defaults) != (after.tree, after.defaults) or before.defaults:
            changes += _documents(key, _model(old, before), _model(new, after))
    return sorted(changes, key=lambda c: (ORDER.index(c.effect), c.document, c.path))


def diff_resolved(old: ResolvedSpec, new: ResolvedSpec) -> list[Change]:
    """What differs between two runs, part by part; names of the parts do not count."""
    pairs: list[tuple[str, Header | None, Header | None]] = [
        (kind, getattr(old, kind), getattr(new, kind)) for kind in ("strategy", "universe", "cost", "risk")
    ]
    pairs.append((old.kind, old.run, new.run))
    pairs.append(("factor", next(iter(old.factors.values()), None), next(iter(new.factors.values()), None)))
    changes = [c for part, a, b in pairs if a and b for c in _documents(part, a, b)]
    return sorted(changes, key=lambda c: (ORDER.index(c.effect), c.document, c.path))


def _model(registry: Registry, document: Document) -> Header:
    composed = compose_one(registry, document, ()) if document.defaults else document
    model, errors = validate(composed.kind, composed.tree, composed.marks)
    if model is None:
        raise SpecErrors(errors)
    return model


def _documents(key: str, old: Header, new: Header) -> Iterator[Change]:
    if old.description != new.description:
        yield Change("cosmetic", key, "description", old.description, new.description)
    for path, before, after in _leaves(meaning(old), meaning(new), ()):
        effect = "result-changing" if _is_laxer(old, new, path[0]) else _effect(old.kind, path)
        yield Change(effect, key, ".".join(path).replace("_.", ".").rstrip("_"), before, after)


def _is_laxer(old: Header, new: Header, part: str) -> bool:
    """Whether a table's rule that stopped runs is gone or lets more pass."""
    if not (isinstance(old, TableSpec) and isinstance(new, TableSpec)):
        return False
    if part == "checks":
        return any(_is_lost(check, new.checks) for check in old.checks if check.severity == "error")
    before, after = old.audit or TableAudit(), new.audit or TableAudit()
    if part != "audit" or before.severity != "error":
        return False
    wider = any(
        margin.abs > known.abs or margin.rel > known.rel
        for name, margin in after.tolerance.items()
        for known in [before.tolerance.get(name, Margin())]
    )
    return after.severity != "error" or after.max_diff_rate > before.max_diff_rate or wider


def _is_lost(check: TableCheck, left: list[TableCheck]) -> bool:
    """Whether none of the checks that are left stops a run as early."""
    return not any(
        each.check == check.check and each.severity == "error" and each.tolerance <= check.tolerance
        for each in left
    )


def _effect(kind: str, path: tuple[str, ...]) -> Effect:
    if path[0] in _SHAPE.get(kind, ()):
        return "breaking"
    if kind == "project" and path[0] == "profiles" and path[-1] in _DATA:
        return "result-changing"
    return "cosmetic" if path[0] in _HARMLESS.get(kind, ()) else "result-changing"


def _leaves(old: Any, new: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _leaves(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path, _shown(old), _shown(new)


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return decimal_text(value)
        case list():
            return "[" + ", ".join(_shown(v) for v in value) + "]"
        case dict():
            return "{" + ", ".join(f"{k}: {_shown(v)}" for k, v in value.items()) + "}"
        case _:
            return str(value)
