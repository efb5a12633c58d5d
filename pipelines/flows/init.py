"""``quant init``: a workspace of one's own from a shipped template."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from quant.core.errors import StateConflict, UsageError
from quant.pipelines.workspace import FILE

HIDDEN = {"gitignore": ".gitignore", "vscode": ".vscode", "github": ".github"}


@dataclass(frozen=True, slots=True)
class CreatedWorkspace:
    root: Path
    files: tuple[str, ...]


def templates() -> list[str]:
    """Names of the shipped templates."""
    return sorted(
        entry.name for entry in files("quant.specs").joinpath("templates").iterdir() if entry.is_dir()
    )


def create_workspace(folder: Path, template: str) -> CreatedWorkspace:
    """Write the template's files into ``folder``; all of them or none.

    Raises:
        UsageError: no such template. StateConflict: the folder already holds files.
    """
    if template not in templates():
        raise UsageError(
            "init.template",
            f"no template {template!r}",
            expected=" or ".join(templates()),
            found=template,
            hint=f"quant init {folder} -t {templates()[0]}",
        )
    root = folder.resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise StateConflict(
            "init.exists",
            f"{folder} is not empty",
            expected="a new or empty folder",
            hint=f"choose another name, or remove {folder}",
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        written = sorted(_copy(files("quant.specs").joinpath("templates", template), staged, Path()))
        _write_schema(staged)
        if root.exists():
            root.rmdir()
        staged.chmod(0o755)
        staged.replace(root)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    if FILE not in written:
        raise UsageError("init.template", f"template {template} has no {FILE}")
    return CreatedWorkspace(root, tuple(written))


def _copy(source: Traversable, target: Path, relative: Path) -> list[str]:
    written: list[str] = []
    for entry in source.iterdir():
        if entry.name == "__pycache__" or entry.name == "__init__.py":
            continue
        name = HIDDEN.get(entry.name, entry.name)
        place = target / name
        if entry.is_dir():
            place.mkdir()
            written += _copy(entry, place, relative / name)
        else:
            place.write_bytes(entry.read_bytes())
            written.append((relative / name).as_posix())
    return written


def _write_schema(root: Path) -> None:
    """The JSON Schema beside the editor settings that point at it."""
    import json

    from quant.specs import json_schema

    folder = root / ".vscode"
    folder.mkdir(exist_ok=True)
    (folder / "quant.schema.json").write_text(
        json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
