"""``quant upgrade``: older formats become current ones, with a backup."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.core.time import to_datetime, utc_now
from quant.core.versions import WORKSPACE_FORMAT
from quant.pipelines.workspace import FILE, read_settings_file


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What was done; no steps when everything was current."""

    root: Path
    steps: tuple[str, ...]
    backup: Path | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "workspace": str(self.root),
            "steps": list(self.steps),
            "backup": str(self.backup) if self.backup else None,
        }


def upgrade_workspace(root: Path) -> Upgrade:
    """Bring quant.toml to the current format; a newer one is refused by ``read_settings_file`` (exit 5)."""
    path = root / FILE
    document = read_settings_file(path)
    text = path.read_text(encoding="utf-8")
    version = document.get("format")
    steps: list[str] = []
    current = version if isinstance(version, int) else 0
    while current < WORKSPACE_FORMAT:
        describe, apply = STEPS[current]
        text = apply(text, tomllib.loads(text))
        steps.append(describe)
        current += 1
    if not steps:
        return Upgrade(root, (), None)
    backup = root / f"{FILE}.{to_datetime(utc_now()):%Y%m%dT%H%M%S}.bak"
    shutil.copy2(path, backup)
    staged = path.with_name(f".{FILE}.new")
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
    return Upgrade(root, tuple(steps), backup)


def _declare_format(text: str, _document: Mapping[str, Any]) -> str:
    return f"format = 1\n{text}"


STEPS: Mapping[int, tuple[str, Callable[[str, Mapping[str, Any]], str]]] = {
    0: ("quant.toml declares its format: 1", _declare_format),
}
"""From each older format to the next one."""
