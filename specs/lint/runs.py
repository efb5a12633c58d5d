"""What must hold inside a backtest or a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from quant.core.errors import SpecError
from quant.core.market.calendar import calendar
from quant.specs.compose import PARTS
from quant.specs.document import Marks
from quant.specs.registry import Registry
from quant.specs.schema import BacktestSpec, DeploymentSpec
from quant.specs.schema.model import Header
from quant.specs.schema.select import models, part_at

Faults = Iterator[SpecError]


def reference(
    registry: Registry, kind: str, name: str | None, marks: Marks, path: tuple[str | int, ...]
) -> Faults:
    if name is not None and f"{kind}/{name}" not in registry.documents:
        yield registry.missing(kind, name, marks.value(path))


def check_backtest(registry: Registry, model: BacktestSpec, marks: Marks) -> Faults:
    yield from _use(registry, model, marks)
    yield from check_span(model.range.from_, model.range.to, marks, ("range",))
    yield from _fill(model, marks)
    yield from _aliases(registry, model, marks)


def check_deployment(registry: Registry, model: DeploymentSpec, marks: Marks) -> Faults:
    yield from _use(registry, model, marks)
    paper = model.env.paper
    yield from check_span(paper.from_, paper.to, marks, ("env", "paper"))
    yield from _fill(model, marks)
    yield from _aliases(registry, model, marks)


def _use(registry: Registry, model: BacktestSpec | DeploymentSpec, marks: Marks) -> Faults:
    for kind in ("strategy", "universe", "cost", "risk"):
        yield from reference(registry, kind, getattr(model.use, kind), marks, ("use", kind))


def check_span(start: date, end: date, marks: Marks, path: tuple[str | int, ...]) -> Faults:
    first = marks.value((*path, "from")) if (*path, "from") in marks.values else marks.value((*path, 0))
    last = marks.value((*path, "to")) if (*path, "to") in marks.values else marks.value((*path, 1))
    if end < start:
        yield SpecError(
            "spec.range",
            "the range ends before it starts",
            where=last,
            expected=f"{start} or later",
            found=str(end),
        )
        return
    dates = calendar("XSHG")
    outside = [(d, w) for d, w in ((start, first), (end, last)) if not dates.first <= d <= dates.last]
    for day, where in outside:
        yield SpecError(
            "spec.range",
            f"the calendar does not cover {day}",
            where=where,
            expected=f"{dates.first} to {dates.last}",
            found=str(day),
        )
    if not outside and not dates.sessions(start, end):
        yield SpecError(
            "spec.range",
            "the range holds no session",
            where=first,
            expected="at least one session",
            found=f"{start} to {end}",
        )


def _fill(model: BacktestSpec | DeploymentSpec, marks: Marks) -> Faults:
    if model.fill.at == "open" and model.fill.participation is not None:
        yield SpecError(
            "spec.contradiction",
            "the volume at the open is not known; participation has no meaning",
            where=marks.key(("fill", "participation")),
            expected="participation with close or vwap",
            found="participation with open",
            hint="set fill.at to vwap, or remove participation",
        )


def _aliases(registry: Registry, model: BacktestSpec | DeploymentSpec, marks: Marks) -> Faults:  # noqa: ARG001
    for short, path in model.params.items():
        where = marks.value(("params", short))
        if part_at(type(model), (short,)) or short in {
            *PARTS,
            *(f.alias or n for n, f in type(model).model_fields.items()),
        }:
            yield SpecError(
                "spec.value",
                f"the short name {short!r} hides a key",
                where=marks.key(("params", short)),
                expected="a name that is no key",
                found=short,
            )
        if not _known_path(model, path):
            yield SpecError(
                "spec.reference",
                f"{path!r} is no key of this run",
                where=where,
                found=path,
                expected="a dotted path, as strategy.construct.top",
            )


def _known_path(model: Header, path: str) -> bool:
    head, *rest = path.split(".")
    if head in PARTS:
        return bool(rest) and any(_has(m, tuple(rest)) for m in models()[head])
    return _has(type(model), (head, *rest))


def _has(model: type[Header], path: tuple[str, ...]) -> bool:
    parent = part_at(model, path[:-1])
    if parent is not None:
        return any(path[-1] == (f.alias or n) for n, f in parent.model_fields.items())
    return len(path) > 1 and path[-2] == "params"
