"""``quant spec lint``: errors collected, warnings listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from quant.core.errors import Location, SpecError, SpecErrors
from quant.specs.lint.documents import check
from quant.specs.registry import Registry, read_workspace
from quant.specs.resolution import resolve
from quant.specs.schema import CostSpec, StrategySpec, UniverseSpec
from quant.specs.validate import validate

COMMISSION_CAP = Decimal("0.003")


@dataclass(frozen=True, slots=True)
class LintWarning:
    """Allowed, but probably not what was meant."""

    code: str
    message: str
    where: Location
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message, "where": str(self.where), "hint": self.hint}


@dataclass(frozen=True, slots=True)
class LintReport:
    """What was read and what was found."""

    files: int
    documents: int
    errors: tuple[SpecError, ...]
    warnings: tuple[LintWarning, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "documents": self.documents,
            "errors": [e.fault.as_dict() for e in self.errors],
            "warnings": [w.as_dict() for w in self.warnings],
        }


def lint(root: Path, extra: Iterable[Path] = ()) -> LintReport:
    """Everything wrong with the specs of a workspace, the library's included; bad specs raise nothing."""
    registry, errors = read_workspace(root, extra)
    errors += check(registry)
    if not errors:
        errors += _runs(registry)
    own = [d for d in registry if d.origin == "workspace"]
    files = {d.marks.file for d in own} | {e.fault.where.file for e in errors if e.fault.where}
    ordered = SpecErrors(_distinct(errors)).errors if errors else ()
    return LintReport(len(files), len(own), ordered, tuple(_warnings(registry)))


def _distinct(errors: Iterable[SpecError]) -> list[SpecError]:
    """Each fault once: a shared document is checked for every run that uses it."""
    return list({(e.fault.code, e.fault.message, str(e.fault.where)): e for e in errors}.values())


def _runs(registry: Registry) -> Iterator[SpecError]:
    """Faults between the documents of each run."""
    for document in [*registry.of("backtest"), *registry.of("deployment")]:
        try:
            resolve(registry, document.kind, document.name)
        except SpecErrors as error:
            yield from error.errors
        except SpecError as error:
            yield error


def _warnings(registry: Registry) -> Iterator[LintWarning]:
    for document in registry.shadowed:
        own = registry.documents[document.key]
        yield LintWarning(
            "lint.shadowed",
            f"{document.key} stands in front of the library's document of that name",
            own.marks.start,
            "rename it if that is not meant",
        )
    for document in registry:
        if document.origin != "workspace" or document.defaults:
            continue
        model, _ = validate(document.kind, document.tree, document.marks)
        if isinstance(model, CostSpec) and model.commission.rate > COMMISSION_CAP:
            yield LintWarning(
                "lint.commission",
                "the commission is above the legal cap of 0.3%",
                document.marks.value(("commission", "rate")),
            )
        if isinstance(model, StrategySpec) and model.construct_ is not None:
            how = model.construct_
            if how.top and how.max_weight is not None and how.top * how.max_weight < 1 - how.cash_buffer:
                yield LintWarning(
                    "lint.underinvested",
                    f"{how.top} names of at most {how.max_weight} never invest all",
                    document.marks.value(("construct", "max_weight")),
                    "raise max_weight or top",
                )
        if isinstance(model, UniverseSpec) and len(set(model.where)) < len(model.where):
            yield LintWarning("lint.repeated", "a condition stands twice", document.marks.value(("where",)))
