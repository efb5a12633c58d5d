"""Whole commands on malformed specs: exit 2, a file and line, no traceback, little time and memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOUND = """\
apiVersion: quant/v1
kind: backtest
name: run
use: {strategy: momentum_topn, universe: main_boards}
range: [2021-01-04, 2021-12-31]
cash: 10_000_000
"""
PROJECT = """\
apiVersion = "quant/v1"
kind = "project"
name = "desk"
[profiles.demo]
sources = ["sim"]
"""
HEAD = "apiVersion: quant/v1\nkind: factor\nname: f\n"
BOMB = "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a, *a, *a, *a]\n" for n in range(2_000))
MALFORMED: dict[str, str | bytes] = {
    "wrong type": SOUND.replace("10_000_000", "[1]"),
    "unknown key": SOUND + "csah: 1\n",
    "dangling name": SOUND.replace("momentum_topn", "momentum_top"),
    "end before start": SOUND.replace("2021-12-31", "2020-12-31"),
    "outside the calendar": SOUND.replace("2021-12-31", "2099-12-31"),
    "negative cash": SOUND.replace("10_000_000", "-1"),
    "cycle": SOUND + "defaults: [run]\n",
    "look-ahead": HEAD + "expr: Ref($close, -1)\n",
    "unknown field": HEAD + "expr: $clsoe\n",
    "python": HEAD + "expr: __import__('os').system('true')\n",
    "bomb": HEAD + BOMB,
    "deep": HEAD + "params: " + "[" * 100_000,
    "tag": HEAD + "expr: !!python/object/apply:os.system [x]\n",
    "interpolation": HEAD + "expr: ${oc.env:HOME}\n",
    "large": HEAD + "#" * (8 << 20),
    "traversal": (
        "apiVersion: quant/v1\nkind: source\nname: s\nprovider: files\nlicense: x\nroot: data\n"
        "datasets: {instruments: {files: ../../etc/passwd, fields: {c: {as: code}}}}\n"
    ),
    "unenforced rule": "apiVersion: quant/v1\nkind: risk\nname: r\nlimits: {industry: 30%}\n",
    "binary junk": bytes(range(256)) * 64,
    "syntax": "a: [1\nb: {\n",
    "nothing": "",
}


MEASURE = """\
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime, used.ru_maxrss // 1024)
sys.exit(done.returncode)
"""


def quant(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float, int]:
    """The finished command, the processor seconds it took, and the most memory it held in MiB."""
    command = [sys.executable, "-c", MEASURE, str(Path(sys.executable).with_name("quant")), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    seconds, memory = done.stdout.rsplit("\n", 2)[-2].split()
    return done, float(seconds), int(memory)


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_spec_ends_a_command_with_exit_2_and_a_line(tmp_path: Path, content: str | bytes) -> None:
    (tmp_path / "quant.toml").write_text(PROJECT)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/bad.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    done, seconds, memory = quant(tmp_path, "spec", "lint")
    assert done.returncode == 2, done.stderr
    assert re.search(r"specs/bad\.yaml:\d+", done.stderr), done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert seconds < 2.0
    assert memory < 500
