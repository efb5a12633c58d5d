"""``quant spec diff``: what changed between two states of the specs, and which runs it touches.

A state is a folder or file, or a git revision of the workspace; the newer one is the working tree unless it
is named.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quant.core.errors import SpecError, SpecErrors, UsageError

if TYPE_CHECKING:
    from quant.specs.diff import Change
    from quant.specs.registry import Registry
    from quant.specs.resolution import ResolvedSpec

RUNS: Final = ("backtest", "deployment")
NEUTRAL: Final = "no change"
WORKING_TREE: Final = "working tree"


@dataclass(frozen=True, slots=True)
class Review:
    """Changes between two states, the gravest first; ``affected``: the runs that each document touches."""

    old: str
    new: str
    changes: tuple[Change, ...]
    affected: Mapping[str, tuple[str, ...]]

    @property
    def verdict(self) -> str:
        """The gravest effect, or that there is none."""
        return self.changes[0].effect if self.changes else NEUTRAL

    def as_dict(self) -> dict[str, Any]:
        return {
            "old": self.old,
            "new": self.new,
            "verdict": self.verdict,
            "changes": [c.as_dict() for c in self.changes],
            "affected": {document: list(runs) for document, runs in self.affected.items()},
        }

    def markdown(self) -> str:
        """The review as a comment: verdict, table of changes, runs that give other results."""
        lines = [f"### Specs: {self.verdict}", "", f"`{self.old}` → `{self.new}`"]
        if not self.changes:
            return "\n".join([*lines, "", "Nothing that a run or a table depends on has changed.", ""])
        lines += ["", "| effect | document | field | old | new |", "|---|---|---|---|---|"]
        lines += [
            f"| {c.effect} | {_cell(c.document)} | {_cell(c.path)} | {_cell(c.old)} | {_cell(c.new)} |"
            for c in self.changes
        ]
        runs = sorted({run for found in self.affected.values() for run in found})
        if runs:
            lines += ["", "Touched, to be run again: " + ", ".join(f"`{run}`" for run in runs)]
        return "\n".join([*lines, ""])


def review(old: str, new: str | None, workspace: Path | None) -> Review:
    """Compare two states.

    Raises UsageError for what is neither a path nor a revision, SpecErrors for specs with faults.
    """
    from quant.specs.diff import diff_registries

    with _state(old, workspace) as before, _state(new, workspace) as after:
        names = (old, new or WORKING_TREE)
        first, second = (_read(folder, name) for folder, name in zip((before, after), names, strict=True))
        changes = list(diff_registries(first, second))
        graphs = [_graphs(registry) for registry in (first, second)]
        changes += _code_changes(*graphs)
    from quant.specs.diff import ORDER

    changes.sort(key=lambda c: (ORDER.index(c.effect), c.document, c.path))
    used = {**graphs[0], **graphs[1]}
    grave = dict.fromkeys(c.document for c in changes if c.effect != "cosmetic")
    affected = {
        document: tuple(sorted(run for run, spec in used.items() if _touches(document, run, spec)))
        for document in grave
    }
    return Review(names[0], names[1], tuple(changes), {d: runs for d, runs in affected.items() if runs})


@contextmanager
def _state(text: str | None, workspace: Path | None) -> Iterator[Path]:
    """The folder of a state; a revision is unpacked into a folder that is removed afterwards."""
    from quant.pipelines.workspace import find_root

    if text is None:
        yield find_root(workspace)
        return
    if Path(text).exists():
        yield Path(text).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="quant-revision-") as folder:
        yield _unpacked(find_root(workspace), text, Path(folder).resolve())


def _unpacked(root: Path, revision: str, folder: Path) -> Path:
    """The workspace as it was at ``revision``, below ``folder``."""
    asked = ("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    commit = _git(root, revision, "rev-parse", *asked).decode().strip()
    archive = _git(root, revision, "archive", "--format=tar", commit, ".")
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder, filter="data")
    return folder


def _git(root: Path, revision: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, timeout=60, check=True
        )
    except FileNotFoundError as error:
        raise UsageError("spec.revision", "git is not installed", hint="name two folders instead") from error
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", b"") or b"").decode(errors="replace").strip().splitlines()
        raise UsageError(
            "spec.revision",
            f"{revision!r} is neither a path nor a revision of this workspace's repository",
            expected="a file, a folder, or a commit, branch or tag",
            found=said[0] if said else revision,
            hint="git log --oneline lists commits; in a shallow clone, git fetch --unshallow",
        ) from error
    return done.stdout


def _read(path: Path, name: str) -> Registry:
    """The documents of a state, with the shipped library behind them."""
    from quant.pipelines.flows.specs import spec_files
    from quant.specs.registry import read_workspace

    root = path if path.is_dir() else path.parent
    extra = [] if (path / "quant.toml").is_file() else [f.resolve() for f in spec_files(path)]
    registry, errors = read_workspace(root, extra)
    if errors:
        raise SpecErrors(errors if name == WORKING_TREE else [_named(error, name) for error in errors])
    return registry


def _named(error: SpecError, state: str) -> SpecError:
    """A fault with its state before the file, as git writes it."""
    fault = error.fault
    where = replace(fault.where, file=f"{state}:{fault.where.file}") if fault.where else None
    return SpecError(
        fault.code, fault.message, where=where, expected=fault.expected, found=fault.found, hint=fault.hint
    )


def _graphs(registry: Registry) -> dict[str, ResolvedSpec]:
    """The workspace's own runs with everything they use; one that cannot be resolved is left out."""
    from quant.core.errors import QuantError
    from quant.specs.resolution import resolve

    found: dict[str, ResolvedSpec] = {}
    for kind in RUNS:
        for document in registry.of(kind):
            try:
                found[document.key] = resolve(registry, kind, document.name)
            except QuantError:
                continue
    return found


def _touches(document: str, run: str, spec: ResolvedSpec) -> bool:
    """Whether a run depends on a document; on the project's data settings every run does."""
    return document.startswith("project/") or document in {run, *_uses(spec)}


def _uses(spec: ResolvedSpec) -> set[str]:
    """The documents that a run names."""
    named = {f"{kind}/{getattr(spec, kind).name}" for kind in ("strategy", "universe", "cost", "risk")}
    tables = {f"table/{name}" for name in spec.tables} | {f"source/{name}" for name in spec.sources}
    return named | tables | {f"factor/{name}" for name in spec.factors}


def _code_changes(old: Mapping[str, ResolvedSpec], new: Mapping[str, ResolvedSpec]) -> list[Change]:
    """Python strategies whose text changed."""
    from quant.specs.diff import Change

    found: dict[str, Change] = {}
    for key in old.keys() & new.keys():
        before, after = old[key].code, new[key].code
        if before is not None and after is not None and before.digest != after.digest:
            document = f"strategy/{new[key].strategy.name}"
            found[document] = Change(
                "result-changing", document, "code", before.digest[:12], after.digest[:12]
            )
    return list(found.values())


def _cell(text: str) -> str:
    shown = text if len(text) <= 120 else text[:117] + "…"
    return shown.replace("|", "\\|").replace("\n", " ") or " "
