"""What must hold inside one document, and between it and the names it uses."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from quant.core.errors import Location, QuantError, SpecError, SpecErrors
from quant.core.ids import parse_code
from quant.specs.compile.programs import factor_program, formula_program, where_programs
from quant.specs.compose import compose_one, lineage
from quant.specs.document import Document, Marks
from quant.specs.expr.program import Program
from quant.specs.lint.runs import Faults, check_backtest, check_deployment, check_span, reference
from quant.specs.lint.sources import check_source
from quant.specs.lint.tables import check_table
from quant.specs.registry import Registry
from quant.specs.resolution import find_code
from quant.specs.schema import (
    BacktestSpec,
    DeploymentSpec,
    FactorSpec,
    ProjectSpec,
    RiskSpec,
    StrategySpec,
    TableSpec,
    UniverseSpec,
)
from quant.specs.schema.model import Header
from quant.specs.schema.research import Construct
from quant.specs.schema.select import models
from quant.specs.validate import validate


def check(registry: Registry) -> list[SpecError]:
    """Every fault of every document of the workspace. The shipped library is checked by the tests; a document
    of it that a run uses is checked with the run.
    """
    errors: list[SpecError] = []
    for document in registry:
        if document.origin == "workspace":
            errors += check_document(registry, document)
    return errors


def check_document(registry: Registry, document: Document) -> list[SpecError]:
    """The faults of one document, composed first if it has a defaults list."""
    try:
        composed = compose_one(registry, document, ()) if _composes(registry, document) else document
    except SpecErrors as error:
        return list(error.errors)
    model, errors = validate(composed.kind, composed.tree, composed.marks)
    if model is None:
        return errors
    return [*errors, *check_model(registry, model, composed.marks)]


def check_model(registry: Registry, model: Header, marks: Marks) -> list[SpecError]:
    """The faults of a document whose schema is sound."""
    return list(_CHECKS.get(type(model), _nothing)(registry, model, marks))


def _composes(registry: Registry, document: Document) -> bool:
    if document.kind == "project" or not document.defaults:
        return False
    return len(lineage(registry, document)) > 1


def _nothing(registry: Registry, model: Any, marks: Marks) -> Faults:  # noqa: ARG001
    yield from ()


def _project(registry: Registry, model: ProjectSpec, marks: Marks) -> Faults:
    yield from reference(registry, "backtest", model.defaults.backtest, marks, ("defaults", "backtest"))
    yield from reference(registry, "deployment", model.defaults.deployment, marks, ("defaults", "deployment"))
    if model.defaults.profile not in model.profiles:
        yield SpecError(
            "spec.reference",
            f"there is no profile {model.defaults.profile!r}",
            where=marks.value(("defaults", "profile")),
            found=model.defaults.profile,
            expected=", ".join(sorted(model.profiles)),
        )
    for name, profile in model.profiles.items():
        for index, source in enumerate(profile.sources):
            yield from reference(registry, "source", source, marks, ("profiles", name, "sources", index))
        for source in profile.roots:
            yield from reference(registry, "source", source, marks, ("profiles", name, "roots", source))
        if profile.from_ and profile.to:
            yield from check_span(profile.from_, profile.to, marks, ("profiles", name))


def _table(registry: Registry, model: TableSpec, marks: Marks) -> Faults:
    if model.name != model.dataset:
        yield SpecError(
            "spec.unenforced",
            "a table under another name than its dataset is not stored by this version",
            where=marks.value(("name",)),
            expected=model.dataset,
            found=model.name,
        )
    named = model.from_ or []
    for index, name in enumerate(named):
        where = marks.value(("from", index))
        yield from reference(registry, "source", name, marks, ("from", index))
        if named.index(name) != index:
            yield SpecError("spec.duplicate", f"the source {name!r} is named twice", where=where, found=name)
        yield from _offer(registry, name, model.dataset, where)
    yield from check_table(model, marks)


def _offer(registry: Registry, name: str, dataset: str, where: Location) -> Faults:
    source = registry.documents.get(f"source/{name}")
    if source is None or source.defaults or source.tree.get("provider") != "files":
        return
    datasets = source.tree.get("datasets")
    inferred = dataset == "corporate_actions" and source.tree.get("infer_events") is True
    if isinstance(datasets, dict) and dataset not in datasets and not inferred:
        yield SpecError(
            "spec.reference",
            f"the source {name!r} has no {dataset}",
            where=where,
            expected=f"a source with {dataset}",
            found=", ".join(map(str, datasets)),
        )


def _universe(registry: Registry, model: UniverseSpec, marks: Marks) -> Faults:  # noqa: ARG001
    if isinstance(model.members, list):
        yield from _codes(model.members, marks, ("members",))
    try:
        where_programs(model, marks, "after_close")
    except SpecError as error:
        yield error


def _factor(registry: Registry, model: FactorSpec, marks: Marks) -> Faults:  # noqa: ARG001
    yield from _formula(lambda: factor_program(model, marks, "after_close"), marks)


def _formula(compile_it: Callable[[], Program], marks: Marks) -> Faults:
    try:
        program = compile_it()
    except SpecError as error:
        yield error
        return
    if not program.columns:
        yield SpecError(
            "spec.value",
            "the formula reads no field and is the same everywhere",
            where=marks.text(("expr",)),
            expected="a formula of fields, as $close",
            found=program.source[:60],
        )


def _strategy(registry: Registry, model: StrategySpec, marks: Marks) -> Faults:
    given = [
        k for k, v in (("signal", model.signal), ("expr", model.expr), ("code", model.code)) if v is not None
    ]
    if len(given) != 1:
        yield SpecError(
            "spec.value",
            "a strategy needs exactly one of signal, expr and code",
            where=marks.key((given[1],)) if given else marks.start,
            expected="signal, expr or code",
            found=", ".join(given) or "none of them",
        )
        return
    yield from reference(registry, "factor", model.signal, marks, ("signal",))
    if model.expr is not None:
        yield from _formula(lambda: formula_program(model, marks, "after_close"), marks)
    elif model.params:
        yield SpecError(
            "spec.value",
            "params belong to expr",
            where=marks.key(("params",)),
            expected="no params here",
            found="params",
            hint="give a factor's params in the factor, code's under code.params",
        )
    if model.code is not None:
        yield from _code(registry, model, marks)
    else:
        yield from _declared(model, marks)


def _code(registry: Registry, model: StrategySpec, marks: Marks) -> Faults:
    assert model.code is not None
    for key, value in (("construct", model.construct_), ("rebalance", model.rebalance)):
        if value is not None:
            yield SpecError(
                "spec.value",
                f"{key} has no meaning for a Python strategy",
                where=marks.key((key,)),
                expected="code alone",
                found=key,
                hint="the class decides what to hold and when",
            )
    named = ":" in model.code.entry
    if named is not (model.code.style == "class"):
        module = model.code.entry.partition(":")[0]
        yield SpecError(
            "spec.value",
            "a class has to be named" if not named else f"a file written for {model.code.style} has no class",
            where=marks.value(("code", "entry")),
            expected=f"{module}:CLASS" if not named else module,
            found=model.code.entry,
            hint=None if named else "for a file of functions say style: joinquant or style: ricequant",
        )
    found = find_code(registry, model.code.entry, marks.value(("code", "entry")))
    if isinstance(found, SpecError):
        yield found


def _declared(model: StrategySpec, marks: Marks) -> Faults:
    for key, value in (("construct", model.construct_), ("rebalance", model.rebalance)):
        if value is None:
            yield SpecError(
                "spec.missing_key", f"the key {key} is missing", where=marks.start, expected=f"{key}:"
            )
    how = model.construct_
    if how is None:
        return
    yield from _fixed(how, marks)
    if how.method in ("threshold", "fixed") and how.top is not None:
        yield SpecError(
            "spec.contradiction",
            f"{how.method} holds every name above 0; top has no meaning",
            where=marks.key(("construct", "top")),
            expected="no top",
            found=str(how.top),
        )
    if how.method not in ("threshold", "fixed") and how.top is None:
        yield SpecError(
            "spec.missing_key",
            "the key construct.top is missing",
            where=marks.key(("construct",)),
            expected="how many names to hold",
        )


def _fixed(how: Construct, marks: Marks) -> Faults:
    """Shares of a name and weights of all do not go together."""
    if how.method != "fixed":
        if how.quantity is not None:
            yield SpecError(
                "spec.contradiction",
                f"{how.method} holds weights; quantity has no meaning",
                where=marks.key(("construct", "quantity")),
                expected="no quantity",
                found=str(how.quantity),
                hint="set construct.method to fixed, or leave quantity out",
            )
        return
    if how.quantity is None:
        yield SpecError(
            "spec.missing_key",
            "the key construct.quantity is missing",
            where=marks.key(("construct",)),
            expected="how many shares of a name to buy",
        )
    for key in ("max_weight", "cash_buffer", "turnover_cap"):
        if getattr(how, key):
            yield SpecError(
                "spec.contradiction",
                f"fixed buys shares, not weights; {key} has no meaning",
                where=marks.key(("construct", key)),
                expected=f"no {key}",
                found=str(getattr(how, key)),
            )


def _risk(registry: Registry, model: RiskSpec, marks: Marks) -> Faults:  # noqa: ARG001
    limits, halt = model.limits, model.halt
    yield from _codes(model.forbidden, marks, ("forbidden",))
    if limits.gross is not None and limits.gross > 1:
        yield SpecError(
            "spec.unenforced",
            "a gross limit above 1x needs borrowing, which this version does not do",
            where=marks.value(("limits", "gross")),
            expected="at most 1x",
            found=f"{limits.gross}x",
        )
    if limits.gross is not None and limits.single_name is not None and limits.single_name > limits.gross:
        yield SpecError(
            "spec.contradiction",
            "the limit of one name is above the limit of all together",
            where=marks.value(("limits", "single_name")),
            expected=f"at most {limits.gross}x (limits.gross)",
            found=str(limits.single_name),
        )
    if limits.gross is not None and limits.cash_min is not None and limits.gross > 1 - limits.cash_min:
        yield SpecError(
            "spec.contradiction",
            "the gross limit cannot be reached with this much cash",
            where=marks.value(("limits", "gross")),
            expected=f"at most {Decimal(1) - limits.cash_min}x",
            found=f"{limits.gross}x",
            hint="lower limits.gross or limits.cash_min",
        )
    if halt.daily_loss is not None and halt.drawdown is not None and halt.daily_loss > halt.drawdown:
        yield SpecError(
            "spec.contradiction",
            "the daily loss halt is above the drawdown halt and can never act",
            where=marks.value(("halt", "daily_loss")),
            expected=f"at most {halt.drawdown} (halt.drawdown)",
            found=str(halt.daily_loss),
        )


def _codes(written: list[str], marks: Marks, path: tuple[str | int, ...]) -> Faults:
    seen: dict[str, str] = {}
    for index, text in enumerate(written):
        try:
            code = str(parse_code(text))
        except QuantError as error:
            fault = error.fault
            yield SpecError(
                "spec.value",
                fault.message,
                where=marks.value((*path, index)),
                found=text,
                expected=fault.expected or "a code as 600519.SH",
                hint=fault.hint,
            )
            continue
        if code in seen:
            yield SpecError(
                "spec.duplicate", f"{code} is named twice", where=marks.value((*path, index)), found=text
            )
        seen[code] = text


_CHECKS: dict[type[Any], Callable[[Registry, Any, Marks], Faults]] = {
    ProjectSpec: _project,
    TableSpec: _table,
    UniverseSpec: _universe,
    FactorSpec: _factor,
    StrategySpec: _strategy,
    RiskSpec: _risk,
    BacktestSpec: check_backtest,
    DeploymentSpec: check_deployment,
    **dict.fromkeys(models()["source"], check_source),
}
