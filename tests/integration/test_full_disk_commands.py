"""Syncs and restatements on a disk that fills up: exit 4 and what to do; with room all is as if never."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import agreed_case
import pytest
from soak import SOAK

SIZES = range(100, 2100, 100) if SOAK else (150, 700)
"""KiB of the disk beyond what lies on it: from no room for anything to room for almost all."""
ROOM = "300m"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if (
        not sys.platform.startswith("linux")
        or os.geteuid()
        or subprocess.run(command, check=False).returncode
    ):
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def quant(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quant.qcli.main", *arguments, "-w", str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def used(folder: Path) -> int:
    """KiB that are taken on the disk."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize // 1024


def said(root: Path) -> dict[str, object]:
    return agreed_case.said(root / ".quant" / "real")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agreed_case.write_vendors(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, market: Path) -> Path:
    root = agreed_case.write_desk(tmp_path_factory.mktemp("whole") / "desk", market)
    done = quant(root, "data", "sync")
    assert done.returncode == 0, done.stderr
    return root


def told(done: subprocess.CompletedProcess[str]) -> None:
    """The failure is an expected one: what, where, and what to do; never a traceback."""
    text = done.stdout + done.stderr
    assert done.returncode == 4, (done.returncode, text)
    assert "Traceback" not in text
    assert "no room" in text or "full" in text, text
    assert "quant data gc" in text or "free" in text, text


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_sync(tmp_path: Path, market: Path, whole: Path, size: int) -> None:
    with small_disk(tmp_path / "disk", ROOM) as disk:
        root = agreed_case.write_desk(disk / "desk", market)
        resize(disk, f"{used(disk) + size}k")
        first = quant(root, "data", "sync")
        if first.returncode:
            told(first)
        resize(disk, ROOM)
        again = quant(root, "data", "sync")
        assert again.returncode == 0, again.stdout + again.stderr
        assert said(root) == said(whole)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES[-1:] if not SOAK else SIZES)
def test_a_restatement(tmp_path: Path, market: Path, whole: Path, size: int) -> None:
    vendors = tmp_path / "vendors"
    shutil.copytree(market, vendors)
    plain = agreed_case.write_desk(tmp_path / "plain", vendors)
    shutil.copytree(whole / ".quant", plain / ".quant")
    command = ("data", "restate", "bars_1d", "--from", str(agreed_case.START), "--to", str(agreed_case.END))
    with small_disk(tmp_path / "disk", ROOM) as disk:
        root = agreed_case.write_desk(disk / "desk", vendors)
        shutil.copytree(whole / ".quant", root / ".quant")
        agreed_case.restate_vendors(vendors)
        resize(disk, f"{used(disk) + size // 4}k")
        first = quant(root, *command)
        if first.returncode:
            told(first)
        resize(disk, ROOM)
        for place in (root, plain):
            done = quant(place, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        assert said(root) == said(plain)
        assert said(root)["golden/bars_1d history"]
