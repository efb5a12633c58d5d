"""Runs the notebooks of docs/notebooks/ over a fresh workspace and stores their outputs.

Needs nbclient and ipykernel (see CONTRIBUTING.md). Each notebook starts in the folder that holds the
workspace ``my-desk``. Outputs that name a folder of this machine are refused (exit 1) and not stored.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
KEPT = ("kernelspec", "language_info")


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs, run with ``folder`` as the current one; raises when a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02}"
        cell.metadata.clear()
    notebook.metadata = nbformat.from_dict({k: v for k, v in notebook.metadata.items() if k in KEPT})
    notebook.metadata.get("language_info", {}).pop("version", None)
    return notebook


def machine_paths(text: str, folder: Path) -> Iterator[str]:
    """Folders of this machine that ``text`` names."""
    for place in (folder, Path.home(), NOTEBOOKS.parent.parent, Path(sys.prefix)):
        if str(place) != "/" and str(place) in text:
            yield str(place)


def workspace(folder: Path) -> None:
    """A synced workspace ``my-desk`` in ``folder``."""
    quant = [sys.executable, "-m", "quant.qcli.main"]
    subprocess.run([*quant, "init", "my-desk", "--template", "ashare"], cwd=folder, check=True)
    subprocess.run([*quant, "data", "sync"], cwd=folder / "my-desk", check=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of docs/notebooks")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="quant-notebook-") as name:
        folder = Path(name).resolve()
        workspace(folder)
        for path in options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
            text = nbformat.writes(execute(path, folder)) + "\n"
            found = list(machine_paths(text, folder))
            if found:
                print(f"{path.name} shows a folder of this machine: {', '.join(found)}", file=sys.stderr)
                return 1
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path.name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
