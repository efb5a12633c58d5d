"""The committed stub is what the compiled module says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_stub_is_current(repository: Path, tmp_path: Path) -> None:
    made = tmp_path / "_native.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "quant.native._native", "-o", str(made)]
    subprocess.run(command, check=True, cwd=tmp_path)
    committed = (repository / "native" / "_native.pyi").read_text(encoding="utf-8")
    assert made.read_text(encoding="utf-8") == committed, "run: make native"
