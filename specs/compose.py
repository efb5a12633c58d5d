"""Defaults lists and ``key=value`` overrides of the executed spec, by Hydra's compose API.

Hydra is imported only when there is something to compose. Each document lies in a ConfigStore of its own
under ``kind/name``; the process-wide state of Hydra is the same afterwards as before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from typing import Any

from quant.core.errors import Location, SpecError, SpecErrors
from quant.specs.document import Document, Marks, Path, Tree
from quant.specs.loader import describe
from quant.specs.registry import Registry

USED = ("strategy", "universe", "cost", "risk")
PARTS = (*USED, "factor")
MAX_OVERRIDE = 4_000
MAX_OVERRIDES = 200
_EXACT = "\ue000"
_KEY = re.compile(r"(\+\+?|~)?([A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*)(=(.*))?", re.S)
_PAIR = re.compile(r"\s*\[\s*([0-9-]+)\s*,\s*([0-9-]+)\s*\]\s*")
_ENTRY = re.compile(r"(/?(?P<kind>[a-z]+)/)?(?P<name>[a-z][a-z0-9_-]{0,63})(@_here_)?")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9][0-9_]*(?=[eE]))([eE][-+]?[0-9]+)?")
_LOCK = Lock()


@dataclass(frozen=True, slots=True)
class Override:
    """One ``key=value``, split; ``text`` is what was typed."""

    text: str
    mark: str
    key: tuple[str, ...]
    value: str | None

    @property
    def where(self) -> Location:
        return Location(f"<override {self.text}>")


def needs_compose(registry: Registry, document: Document) -> bool:
    """Whether the document, or one it uses, starts from a defaults list."""
    if document.defaults:
        return True
    use = document.tree.get("use")
    named = [(k, v) for k, v in use.items() if isinstance(v, str)] if isinstance(use, dict) else []
    found = [d for k, v in named if (d := registry.documents.get(f"{k}/{v}")) is not None]
    signals = [
        registry.documents.get(f"factor/{d.tree.get('signal')}") for d in found if d.kind == "strategy"
    ]
    return any(d is not None and d.defaults for d in (*found, *signals))


def compose_documents(
    registry: Registry, document: Document, overrides: Sequence[str]
) -> dict[str, Document]:
    """The executed document and those it uses that differ from what stands in the files, by kind.

    Raises SpecErrors for overrides and defaults lists that cannot be followed.
    """
    parsed = _parse_all(overrides, _aliases(registry, document))
    own = [o for o in parsed if o.key[0] not in PARTS]
    composed: dict[str, Document] = {}
    executed = document
    if own or document.defaults:
        executed = composed[document.kind] = compose_one(registry, document, own)
    use = executed.tree.get("use")
    use = use if isinstance(use, dict) else {}
    from quant.specs.resolution import DEFAULT_USE

    for kind in PARTS:
        mine = [Override(o.text, o.mark, o.key[1:], o.value) for o in parsed if o.key[0] == kind]
        if kind == "factor":
            name = _signal(registry, composed, use)
        else:
            given = use.get(kind)
            name = given if isinstance(given, str) else DEFAULT_USE.get(kind)
        if name is None:
            if mine:
                raise SpecErrors(
                    [
                        SpecError(
                            "spec.override",
                            f"this run uses no {kind}",
                            where=mine[0].where,
                            expected="a key of a document this run uses",
                        )
                    ]
                )
            continue
        part = registry.documents.get(f"{kind}/{name}")
        if part is None:
            if mine:
                raise SpecErrors([registry.missing(kind, name, executed.marks.value(("use", kind)))])
            continue
        if mine or part.defaults:
            composed[kind] = compose_one(registry, part, mine)
    return composed


def _signal(registry: Registry, composed: dict[str, Document], use: dict[str, Tree]) -> str | None:
    """The factor of the strategy in use."""
    strategy = composed.get("strategy") or registry.documents.get(f"strategy/{use.get('strategy')}")
    signal = strategy.tree.get("signal") if strategy else None
    return signal if isinstance(signal, str) else None


def _aliases(registry: Registry, document: Document) -> dict[str, str]:
    """Short names for override paths, from the document and those it starts from."""
    found: dict[str, str] = {}
    for part in lineage(registry, document):
        params = part.tree.get("params")
        if isinstance(params, dict):
            found.update({k: v for k, v in params.items() if isinstance(v, str)})
    return found


def _parse_all(texts: Sequence[str], aliases: dict[str, str]) -> list[Override]:
    errors: list[SpecError] = []
    parsed: list[Override] = []
    for text in texts[: MAX_OVERRIDES + 1]:
        try:
            parsed.append(parse_override(text, aliases))
        except SpecError as error:
            errors.append(error)
    if len(texts) > MAX_OVERRIDES:
        errors.append(SpecError("spec.override", "too many overrides", expected=f"at most {MAX_OVERRIDES}"))
    if errors:
        raise SpecErrors(errors)
    return parsed


def parse_override(text: str, aliases: dict[str, str]) -> Override:
    """Split and expand one override. Raises SpecError located at the override itself."""
    where = Location(f"<override {text[:80]}>")
    found = _KEY.fullmatch(text) if len(text) <= MAX_OVERRIDE else None
    if found is None or (found[4] is None) != (found[1] == "~"):
        raise SpecError(
            "spec.override",
            "not an override",
            where=where,
            expected="key=value, +key=value or ~key",
            found=describe(text),
        )
    if "${" in text:
        raise SpecError("spec.forbidden", "interpolation is not allowed", where=where, expected="a value")
    key = found[2]
    head, dot, rest = key.partition(".")
    if head in aliases:
        key = aliases[head] + dot + rest
    steps = tuple(key.split("."))
    if steps[0] in ("hydra", "defaults", "apiVersion", "kind", "name"):
        raise SpecError(
            "spec.override",
            f"{steps[0]} cannot be overridden",
            where=where,
            found=text,
            expected="a key of the document's body",
        )
    if len(steps) == 1 and steps[0] in USED:
        steps = ("use", steps[0])
    elif len(steps) == 1 and steps[0] == "factor":
        steps = ("strategy", "signal")
    value = found[5]
    pair = _PAIR.fullmatch(value) if value is not None and steps == ("range",) else None
    if pair is not None:  # as in a document, range=[a, b] means its two ends
        value = f"{{from: {pair[1]}, to: {pair[2]}}}"
    return Override(text, found[1] or "", steps, value)


def lineage(registry: Registry, document: Document) -> list[Document]:
    """The documents a document is composed of, in the order in which they are merged; itself where
    ``_self_`` stands, else last. Raises SpecErrors on cycles, unknown names and foreign kinds."""
    order: list[Document] = []
    _visit(registry, document, (), order)
    return order


def _visit(registry: Registry, document: Document, above: tuple[str, ...], order: list[Document]) -> None:
    if document.key in above:
        chain = " → ".join((*above[above.index(document.key) :], document.key))
        raise SpecErrors(
            [
                SpecError(
                    "spec.cycle",
                    f"the defaults lists go round in a circle: {chain}",
                    where=document.marks.key(("defaults",)),
                    found=chain,
                    hint="take one of these defaults entries out",
                )
            ]
        )
    placed = False
    for index, entry in enumerate(document.defaults):
        where = document.marks.value(("defaults", index))
        if entry == "_self_":
            order.append(document)
            placed = True
            continue
        _visit(registry, _named(registry, document, entry, where), (*above, document.key), order)
    if not placed:
        order.append(document)
    twice = [d.key for n, d in enumerate(order) if d in order[:n]]
    if twice:
        raise SpecErrors(
            [
                SpecError(
                    "spec.cycle",
                    f"{twice[0]} is merged twice",
                    where=document.marks.key(("defaults",)),
                    found=twice[0],
                    hint="take one of its defaults entries out",
                )
            ]
        )


def _named(registry: Registry, document: Document, entry: Tree, where: Location) -> Document:
    found = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
    if found is None or (found["kind"] or document.kind) != document.kind:
        raise SpecErrors(
            [
                SpecError(
                    "spec.reference",
                    f"a {document.kind} can start only from another {document.kind}",
                    where=where,
                    expected=f"_self_ or the name of a {document.kind}",
                    found=describe(entry),
                    hint="name the parts of a run under use:",
                )
            ]
        )
    try:
        return registry.get(document.kind, found["name"], where)
    except SpecError as error:
        raise SpecErrors([error]) from error


def compose_one(registry: Registry, document: Document, overrides: Sequence[Override]) -> Document:
    """A document with its defaults merged and its overrides applied, and the places of everything in it."""
    parts = lineage(registry, document)
    tree = _by_hydra(parts, document, overrides)
    marks = Marks(document.marks.file, document.marks.start)
    for part in parts:
        marks.overlay(part.marks)
    for override in overrides:
        if override.value is not None:
            marks.overlay(_override_marks(override))
    tree.pop("defaults", None)
    return Document(document.kind, document.name, tree, marks, document.origin)


def _override_marks(override: Override) -> Marks:
    path: Path = tuple(int(s) if s.isdigit() else s for s in override.key)
    return Marks(
        override.where.file, override.where, keys={path: override.where}, values={path: override.where}
    )


def _by_hydra(
    parts: Sequence[Document], document: Document, overrides: Sequence[Override]
) -> dict[str, Tree]:
    with _LOCK, _isolated() as store:
        for part in parts:
            entries: list[Any] = [e if e == "_self_" else _name_of(e) for e in part.defaults]
            entries += [] if "_self_" in entries else ["_self_"]
            body = {k: v for k, v in part.tree.items() if k != "defaults"}
            store.store(
                group=part.kind,
                name=part.name,
                package="_global_",
                node={"defaults": entries, **_encoded(body)},
            )
        tree, problem = _try(document, overrides)
        if tree is not None:
            return tree
        culprit = next((o for o in overrides if _try(document, [o])[0] is None), None)
    where = culprit.where if culprit else document.marks.start
    raise SpecErrors(
        [
            SpecError(
                "spec.override",
                f"the override cannot be applied: {problem}",
                where=where,
                expected="key=value of the document",
                found=culprit.text[:80] if culprit else None,
            )
        ]
    )


def _try(document: Document, overrides: Sequence[Override]) -> tuple[dict[str, Tree] | None, str]:
    """The composed tree, or what Hydra says against it."""
    from hydra import compose, initialize
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize(config_path=None):
            config = compose(f"{document.kind}/{document.name}", [_hydra_text(o) for o in overrides])
        return _decoded(OmegaConf.to_container(config, resolve=False)), ""
    except (
        HydraException,
        OmegaConfBaseException,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        return None, str(error).strip().split("\n")[0][:300] or type(error).__name__


def _name_of(entry: Tree) -> str:
    found = _ENTRY.fullmatch(str(entry))
    return found["name"] if found else str(entry)


@contextmanager
def _isolated() -> Iterator[Any]:
    """An empty ConfigStore, and Hydra's process-wide state put back afterwards."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    store = ConfigStore.instance()
    kept, hydra = store.repo, GlobalHydra.instance().hydra
    store.repo = {
        k: v for k, v in kept.items() if k in ("hydra", "hydra_config.yaml", "_dummy_empty_config_.yaml")
    }
    GlobalHydra.instance().hydra = None
    try:
        yield store
    finally:
        store.repo = kept
        GlobalHydra.instance().hydra = hydra


def _hydra_text(override: Override) -> str:
    """The override as Hydra reads it: exact numbers and texts outside its grammar are quoted."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key = ".".join(override.key)
    if override.value is None:
        return f"~{key}"
    value = override.value.strip()
    if _FLOAT.fullmatch(value):
        return f"++{key}='{_EXACT}{value.replace('_', '')}'"
    if value == "":
        return f"++{key}=''"
    text = f"++{key}={value}"
    try:
        parsed = OverridesParser.create().parse_override(text)
        if not parsed.is_sweep_override():
            return text
    except HydraException:
        if value[0] in "[{":
            raise
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"++{key}='{quoted}'"


def _encoded(tree: Tree) -> Any:
    match tree:
        case dict():
            return {k: _encoded(v) for k, v in tree.items()}
        case list():
            return [_encoded(v) for v in tree]
        case Decimal():
            return f"{_EXACT}{tree}"
        case _:
            return tree


def _decoded(tree: Any) -> Any:
    match tree:
        case dict():
            return {str(k): _decoded(v) for k, v in tree.items()}
        case list():
            return [_decoded(v) for v in tree]
        case float():
            return Decimal(repr(tree))
        case str() if tree.startswith(_EXACT):
            return Decimal(tree[1:])
        case _:
            return tree
