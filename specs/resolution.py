"""One executed document with everything it names, as one immutable graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from quant.core.errors import Location, SpecError, SpecErrors
from quant.specs.compose import compose_documents, compose_one, lineage, needs_compose
from quant.specs.document import Document, Marks, Tree
from quant.specs.fingerprint import meaning_of_graph
from quant.specs.loader import read_code
from quant.specs.registry import Registry
from quant.specs.schema import (
    BacktestSpec,
    CostSpec,
    DeploymentSpec,
    FactorSpec,
    ProjectSpec,
    RiskSpec,
    SourceSpec,
    StrategySpec,
    TableSpec,
    UniverseSpec,
)
from quant.specs.schema.model import Header
from quant.specs.schema.project import Profile
from quant.specs.validate import validate

USED = ("strategy", "universe", "cost", "risk")
M = TypeVar("M", bound=Header)


@dataclass(frozen=True, slots=True)
class CodeFile:
    """The file of a Python strategy and the digest of its text; it is never imported here."""

    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class ResolvedSpec:
    """The graph of one run. ``sources_text`` maps each file read to its text, for the run folder.

    ``fingerprint`` is of the meaning: defaults are explicit; names, order, comments and descriptions do not
    count. Data sources count with what they mean, not where their files lie.
    """

    kind: str
    name: str
    run: BacktestSpec | DeploymentSpec
    strategy: StrategySpec
    universe: UniverseSpec
    cost: CostSpec
    risk: RiskSpec
    factors: Mapping[str, FactorSpec]
    tables: Mapping[str, TableSpec]
    sources: Mapping[str, SourceSpec]
    profile: str
    default_profile: str
    code: CodeFile | None
    overrides: tuple[str, ...]
    fingerprint: str
    sources_text: Mapping[str, str]
    marks: Mapping[str, Marks] = field(repr=False, compare=False, hash=False)

    @property
    def backtest(self) -> BacktestSpec:
        """The executed backtest. Raises TypeError for a deployment."""
        if isinstance(self.run, BacktestSpec):
            return self.run
        raise TypeError("a deployment is no backtest")

    @property
    def deployment(self) -> DeploymentSpec:
        """The executed deployment. Raises TypeError for a backtest."""
        if isinstance(self.run, DeploymentSpec):
            return self.run
        raise TypeError("a backtest is no deployment")

    def where(self, part: str, *path: str | int) -> Location:
        """Where a value of a part stands; ``part`` is a kind, or ``factor/name``."""
        marks = self.marks.get(part) or self.marks[self.kind]
        return marks.value(path)


@dataclass(slots=True)
class _Builder:
    """Collects the parts of a graph and every fault on the way."""

    registry: Registry
    errors: list[SpecError] = field(default_factory=list)
    marks: dict[str, Marks] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    def model(self, part: str, document: Document, expected: type[M]) -> M | None:
        from quant.specs.lint.documents import check_model

        model, errors = validate(document.kind, document.tree, document.marks)
        self.errors += errors
        self.marks[part] = document.marks
        self.files.add(document.marks.file)
        if not isinstance(model, expected):
            return None
        self.errors += check_model(self.registry, model, document.marks)
        return model

    def named(self, kind: str, name: str, where: Location) -> Document | None:
        try:
            return self.registry.get(kind, name, where)
        except SpecError as error:
            self.errors.append(error)
            return None


def resolve(
    registry: Registry, kind: str, name: str, overrides: Sequence[str] = (), *, profile: str | None = None
) -> ResolvedSpec:
    """The graph of a backtest or deployment under a profile (the project's default when None).

    ``overrides`` are ``key=value`` texts: a key of the document itself, ``strategy|universe|cost|risk=name``
    to use another document, ``strategy.construct.top=50`` to change one of the documents used for this run
    only, or a short name declared under ``params``. Raises SpecErrors with every fault.
    """
    from quant.specs.lint.graph import check_graph

    build = _Builder(registry)
    parts = _parts(build, registry.get(kind, name), tuple(overrides))
    run: BacktestSpec | DeploymentSpec | None
    if kind == "backtest":
        run = build.model(kind, parts[kind], BacktestSpec)
    else:
        run = build.model(kind, parts[kind], DeploymentSpec)
    strategy = build.model("strategy", parts["strategy"], StrategySpec) if "strategy" in parts else None
    universe = build.model("universe", parts["universe"], UniverseSpec) if "universe" in parts else None
    cost = build.model("cost", parts["cost"], CostSpec) if "cost" in parts else None
    risk = build.model("risk", parts["risk"], RiskSpec) if "risk" in parts else None
    factors: dict[str, FactorSpec] = {}
    for part in [p for p in parts if p.startswith("factor/")]:
        factor = build.model(part, parts[part], FactorSpec)
        if factor is not None:
            factors[factor.name] = factor
    chosen, tables, sources = _data(build, profile)
    if build.errors or run is None or not (strategy and universe and cost and risk):
        raise SpecErrors(build.errors or [SpecError("spec.invalid", f"{kind} {name!r} is not valid")])
    code = _code(build, registry, strategy)
    spec = ResolvedSpec(
        kind=kind,
        name=name,
        run=run,
        strategy=strategy,
        universe=universe,
        cost=cost,
        risk=risk,
        factors=MappingProxyType(factors),
        tables=MappingProxyType(tables),
        sources=MappingProxyType(sources),
        profile=chosen,
        default_profile=default_profile(registry),
        code=code,
        overrides=tuple(overrides),
        fingerprint=meaning_of_graph(
            run, strategy, universe, cost, risk, factors, code.digest if code else None
        ),
        sources_text=MappingProxyType(
            {f: registry.texts[f] for f in sorted(build.files) if f in registry.texts}
        ),
        marks=MappingProxyType(dict(build.marks)),
    )
    build.errors += check_graph(spec)
    if build.errors:
        raise SpecErrors(build.errors)
    return spec


def _parts(build: _Builder, document: Document, overrides: tuple[str, ...]) -> dict[str, Document]:
    """The executed document and those it uses, composed where that is needed."""
    registry = build.registry
    plain = not overrides and not needs_compose(registry, document)
    composed = {} if plain else compose_documents(registry, document, overrides)
    executed = composed.get(document.kind, document)
    parts = {document.kind: executed}
    use = executed.tree.get("use")
    for kind in USED:
        given = use.get(kind) if isinstance(use, dict) else None
        name = given if given is not None else DEFAULT_USE.get(kind)
        if kind in composed:
            parts[kind] = composed[kind]
        elif isinstance(name, str):
            found = build.named(kind, name, executed.marks.value(("use", kind)))
            if found is not None:
                parts[kind] = found
    strategy = parts.get("strategy")
    for part in composed.values():
        build.files.update(d.marks.file for d in lineage(registry, registry.get(part.kind, part.name)))
    if strategy is not None and isinstance(strategy.tree.get("signal"), str):
        signal = str(strategy.tree["signal"])
        found = composed.get("factor") or build.named("factor", signal, strategy.marks.value(("signal",)))
        if found is not None:
            parts[f"factor/{found.name}"] = found
    return parts


DEFAULT_USE = {"universe": "all_listed", "cost": "cn_stock", "risk": "default"}


def _data(build: _Builder, profile: str | None) -> tuple[str, dict[str, TableSpec], dict[str, SourceSpec]]:
    """The tables of the workspace under a profile, each with its sources filled in, and those sources."""
    project = build.registry.project
    model = build.model("project", project, ProjectSpec) if project is not None else None
    chosen = profile or (model.defaults.profile if model else "demo")
    settings = model.profiles.get(chosen) if model else None
    if model is not None and settings is None and project is not None:
        build.errors.append(
            SpecError(
                "spec.reference",
                f"there is no profile {chosen!r}",
                where=project.marks.key(("profiles",)),
                found=chosen,
                expected=", ".join(sorted(model.profiles)),
            )
        )
    tables, sources = resolve_data(build.registry, settings, build.errors)
    build.marks.update({d.key: d.marks for d in build.registry if d.kind in ("table", "source")})
    return chosen, tables, sources


def default_profile(registry: Registry) -> str:
    """The profile used when none is asked for."""
    project = registry.project
    defaults = project.tree.get("defaults") if project else None
    named = defaults.get("profile") if isinstance(defaults, dict) else None
    return named if isinstance(named, str) else "demo"


def resolve_data(
    registry: Registry, profile: Profile | None, errors: list[SpecError]
) -> tuple[dict[str, TableSpec], dict[str, SourceSpec]]:
    """Every table with its sources filled in from the profile, and the sources with their roots."""
    fallback = list(profile.sources) if profile else ["sim"]
    tables: dict[str, TableSpec] = {}
    names: dict[str, Location | None] = {}
    project = registry.project
    for document in registry.of("table"):
        model, faults = validate("table", document.tree, document.marks)
        errors += faults
        if isinstance(model, TableSpec):
            named = model.from_ if model.from_ is not None else fallback
            place = (
                document.marks.value(("from",))
                if model.from_ is not None
                else (project.marks.key(("profiles",)) if project else None)
            )
            names.update(dict.fromkeys(named, place))
            tables[model.name] = model.model_copy(update={"from_": named})
    sources: dict[str, SourceSpec] = {}
    for name, place in names.items():
        try:
            found = registry.get("source", name, place)
            if needs_compose(registry, found):
                found = compose_one(registry, found, ())
        except SpecErrors as error:
            errors += error.errors
            continue
        except SpecError as error:
            errors.append(error)
            continue
        source, faults = validate("source", found.tree, found.marks)
        errors += faults
        if isinstance(source, SourceSpec):
            root = profile.roots.get(name) if profile else None
            sources[name] = source.model_copy(update={"root": root, "root_env": None}) if root else source
    return tables, sources


def _code(build: _Builder, registry: Registry, strategy: StrategySpec) -> CodeFile | None:
    """The file of a Python strategy; a fault when the strategies folder holds none."""
    if strategy.code is None:
        return None
    where = build.marks["strategy"].value(("code", "entry"))
    found = find_code(registry, strategy.code.entry, where)
    if isinstance(found, SpecError):
        build.errors.append(found)
        return None
    build.files.add(found.file)
    return found


def find_code(registry: Registry, entry: str, where: Location) -> CodeFile | SpecError:
    """Where a strategy entry's source lies in the workspace."""
    module = entry.partition(":")[0]
    folder = strategies_folder(registry)
    found = read_code(registry.root, folder, module)
    if found is None:
        return SpecError(
            "spec.reference",
            f"there is no file for the strategy {entry!r}",
            where=where,
            expected=f"{folder}/NAME.py, named as {folder}.NAME:CLASS",
            found=entry,
            hint=f"write the class into {module.replace('.', '/')}.py of the workspace",
        )
    return CodeFile(*found)


def strategies_folder(registry: Registry) -> str:
    project = registry.project
    paths = project.tree.get("paths") if project else None
    folder: Tree = paths.get("strategies") if isinstance(paths, dict) else None
    return folder if isinstance(folder, str) else "strategies"


__all__ = ["CodeFile", "ResolvedSpec", "find_code", "resolve", "resolve_data", "strategies_folder"]
