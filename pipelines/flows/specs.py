"""``quant spec``: lint, show, schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant.core.errors import SpecErrors, UsageError

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace
    from quant.specs.lint import LintReport


@dataclass(frozen=True, slots=True)
class ShownSpec:
    """A document for a screen and as data."""

    text: str
    body: dict[str, Any]


def lint_specs(path: Path | None, files: Sequence[Path]) -> LintReport:
    """Every fault of the workspace's specs and of ``files``; raises SpecErrors when there is one."""
    from quant.pipelines.workspace import find_root
    from quant.specs.lint import lint

    for file in files:
        if not file.exists():
            raise UsageError("spec.missing", f"there is no {file}", found=str(file))
    extra = [f.resolve() for given in files for f in spec_files(given)]
    report = lint(find_root(path), extra)
    if report.errors:
        raise SpecErrors(report.errors)
    return report


def spec_files(path: Path) -> list[Path]:
    """The spec files that a path stands for."""
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.suffix in {".yaml", ".yml", ".toml"} and p.is_file())


def show_spec(
    desk: Workspace, kind: str, name: str | None, overrides: Sequence[str], *, resolved: bool
) -> ShownSpec:
    """A document's text, or with ``resolved`` everything it means with references and defaults filled in."""
    from quant.specs.kinds import KINDS
    from quant.specs.registry import load_workspace

    if name is not None and "=" not in name and kind not in KINDS:
        raise UsageError("spec.kind", f"no kind {kind!r}", expected=", ".join(KINDS), found=kind)
    if resolved:
        target = name or kind
        wanted = kind if kind in KINDS else "backtest"
        if wanted not in {"backtest", "deployment"}:
            raise UsageError(
                "spec.resolved",
                f"a {wanted} stands on its own; --resolved is for what refers to others",
                expected="backtest or deployment",
                found=wanted,
                hint=f"quant spec show {kind} {name or 'NAME'}",
            )
        body = _resolved(desk, wanted, target, overrides)
        return ShownSpec(json.dumps(body, indent=2, ensure_ascii=False), body)
    registry = load_workspace(desk.root)
    if kind in KINDS and name is None:
        names = registry.names(kind)
        return ShownSpec("\n".join(names), {"kind": kind, "names": names})
    document = registry.get(kind, name) if name is not None and kind in KINDS else registry.find(kind, KINDS)
    body = json.loads(json.dumps(document.tree, default=str, ensure_ascii=False))
    return ShownSpec(f"# {document.marks.start}\n" + json.dumps(body, indent=2, ensure_ascii=False), body)


def _resolved(desk: Workspace, kind: str, name: str, overrides: Sequence[str]) -> dict[str, Any]:
    from quant.pipelines.flows.backtest import resolve_spec

    spec = resolve_spec(desk, kind, name, overrides)
    parts = {"strategy": spec.strategy, "universe": spec.universe, "cost": spec.cost, "risk": spec.risk}
    body: dict[str, Any] = {kind: spec.run.model_dump(mode="json", by_alias=True)}
    body |= {part: model.model_dump(mode="json", by_alias=True) for part, model in parts.items()}
    body["factors"] = {n: f.model_dump(mode="json", by_alias=True) for n, f in spec.factors.items()}
    body |= {"profile": spec.profile, "fingerprint": spec.fingerprint}
    return body


def schema_of(kind: str | None) -> dict[str, Any]:
    """The JSON Schema of one kind, or of any spec file."""
    from quant.specs.kinds import KINDS
    from quant.specs.reference import json_schema

    if kind is not None and kind not in KINDS:
        raise UsageError("spec.kind", f"no kind {kind!r}", expected=", ".join(KINDS), found=kind)
    return json_schema(kind)
