from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from quant.core.errors import StateConflict
from quant.warehouse.lock import WriterLock

HOLDER = """
import sys, time
from pathlib import Path
from quant.warehouse.lock import WriterLock
with WriterLock(Path(sys.argv[1])).hold("sync bars_1d"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_lock_is_exclusive_between_objects_and_reentrant_within_one(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "writer.lock")
    with lock.hold("a"), lock.hold("b"):
        with pytest.raises(StateConflict) as caught, WriterLock(lock.path).hold("c"):
            pass
    assert caught.value.exit_code == 5
    with WriterLock(lock.path).hold("d"):
        pass


def test_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "writer.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(StateConflict) as caught, WriterLock(path).hold():
            pass
        assert caught.value.fault.found == f"process {holder.pid} (sync bars_1d)"
    finally:
        holder.kill()
        holder.wait()
    with WriterLock(path).hold(wait=5):
        pass
