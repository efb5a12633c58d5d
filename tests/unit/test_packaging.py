"""One file is never loaded under two names, from wherever quant is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDERS = ("core", "specs", "native", "warehouse", "research", "trading", "assets", "pipelines", "qcli")


def run(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_refuses_its_bare_name(folder: str, repository: Path) -> None:
    done = run(f"import {folder}", repository)
    assert done.returncode != 0
    assert f"import this package as quant.{folder}" in done.stderr


def test_clone_and_elsewhere_load_the_same_files(repository: Path, tmp_path: Path) -> None:
    code = "import quant, quant.core, quant.native; print(quant.__file__, quant.core.__file__)"
    here, there = run(code, repository), run(code, tmp_path)
    assert here.returncode == 0, here.stderr
    assert here.stdout == there.stdout


def test_spawned_workers_import_the_package(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(
        "import multiprocessing as m\n"
        "def size(text):\n    from quant.core.hashing import digest\n    return len(digest(text))\n"
        "if __name__ == '__main__':\n"
        "    with m.get_context('spawn').Pool(1) as pool: print(pool.apply(size, ('x',)))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "64", done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from quant.qcli.main import build; build();"
        "heavy = {'dagster','polars','chdb','pandas','numpy','pydantic','hydra'} & set(sys.modules);"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
