"""``quant doctor``: is this installation whole, and this workspace sound?"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from quant.core.errors import QuantError
from quant.pipelines.workspace import Workspace

State = Literal["ok", "warn", "fail", "missing"]
REQUIRED = (
    "polars",
    "pyarrow",
    "deltalake",
    "duckdb",
    "pydantic",
    "dagster",
    "clickhouse-connect",
    "hydra-core",
)
ENGINES = ("chdb",)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its state, what was seen, and the fix."""

    check: str
    state: State
    detail: str
    hint: str | None = None

    def as_dict(self) -> dict[str, str | None]:
        return {"check": self.check, "state": self.state, "detail": self.detail, "fix": self.hint}


def examine(path: Path | None, profile: str | None) -> list[Finding]:
    """Every check, in a fixed order; a check never raises."""
    findings = [_python(), *_packages(), _native(), _fork_safety()]
    try:
        workspace = Workspace.find(path, profile=profile)
    except QuantError as error:
        return [*findings, Finding("workspace", "warn", str(error), error.fault.hint)]
    findings.append(Finding("workspace", "ok", f"{workspace.root} (profile {workspace.profile})"))
    for name, check in (("specs", _specs), ("lake", _lake), ("runs", _unfinished), ("disk", _disk)):
        findings += _guarded(name, check, workspace)
    return findings


def _guarded(
    name: str, check: Callable[[Workspace], Iterator[Finding]], workspace: Workspace
) -> list[Finding]:
    try:
        return list(check(workspace))
    except QuantError as error:
        return [Finding(name, "fail", str(error), error.fault.hint)]


def _python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", text)


def _packages() -> Iterator[Finding]:
    for name in (*REQUIRED, *ENGINES):
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            state: State = "missing" if name in ENGINES else "fail"
            yield Finding(name, state, "not installed", f"pip install '{name}'")


def _native() -> Finding:
    try:
        factor = import_module("quant.native.factor")
        kernel = import_module("quant.native.kernel")
    except ImportError as error:
        return Finding(
            "native kernel", "fail", str(error), "reinstall quant-toolkit, or run make native in a checkout"
        )
    variants = ", ".join(factor.instruction_sets())
    return Finding("native kernel", "ok", f"{kernel.KERNEL_HASH[:12]}; variants: {variants}")


def _fork_safety() -> Finding:
    bytecode = os.environ.get("PYTHONDONTWRITEBYTECODE")
    if bytecode:
        return Finding(
            "bytecode",
            "warn",
            "PYTHONDONTWRITEBYTECODE is set: imports of dagster cost seconds",
            "unset PYTHONDONTWRITEBYTECODE",
        )
    return Finding("bytecode", "ok", "cached")


def _specs(workspace: Workspace) -> Iterator[Finding]:
    from quant.specs import load_workspace

    registry = load_workspace(workspace.root)
    yield Finding("specs", "ok", f"{len(registry.documents)} documents")


def _lake(workspace: Workspace) -> Iterator[Finding]:
    from quant.pipelines.flows.status import table_status

    tables = table_status(workspace)
    if not tables:
        yield Finding("lake", "warn", "no tables yet", "quant data sync")
    for table in tables:
        yield Finding(
            f"lake {table.table}", "ok", f"version {table.version}, {table.rows:,} rows to {table.end}"
        )


def _unfinished(workspace: Workspace) -> Iterator[Finding]:
    left = sorted(workspace.runs.glob(".tmp-*")) if workspace.runs.is_dir() else []
    if left:
        yield Finding(
            "runs", "warn", f"{len(left)} unfinished run folders", f"remove {workspace.runs}/.tmp-*"
        )
    else:
        yield Finding("runs", "ok", "no unfinished folders")


def _disk(workspace: Workspace) -> Iterator[Finding]:
    import shutil

    free = shutil.disk_usage(workspace.root).free / 2**30
    if free < 1.0:
        yield Finding("disk", "fail", f"{free:.1f} GiB free", "make room: at least 1 GiB")
    else:
        yield Finding("disk", "ok", f"{free:.0f} GiB free")
