from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quant.core.market.calendar import calendar
from quant.research.panel import Panel, no_actions
from quant.research.panel_cache import PanelCache, panel_key

DAYS = tuple(calendar("XSHG").sessions(date(2024, 1, 2), date(2024, 3, 29)))


def panel_of(instruments: int, seed: int = 1) -> Panel:
    rng = np.random.default_rng(seed)
    shape = (len(DAYS), instruments)
    prices = ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap")
    whole = {name: rng.integers(0, 10**9, shape) for name in (*prices, "volume")}
    return Panel(
        sessions=DAYS,
        instruments=np.arange(instruments) + 1,
        codes=tuple(f"{600000 + i}.SH" for i in range(instruments)),
        names=tuple(f"名{i}" for i in range(instruments)),
        boards=np.ones(instruments, np.uint8),
        list_sessions=np.zeros(instruments, np.int32),
        amount=rng.random(shape),
        flags=rng.integers(0, 2**31, shape).astype(np.uint32),
        factor=rng.random(shape),
        actions=no_actions(),
        **whole,
    )


def same(a: Panel, b: Panel) -> bool:
    skipped = {"actions", "reported"}
    return all(
        np.array_equal(np.asarray(getattr(a, f.name)), np.asarray(getattr(b, f.name)))
        for f in fields(Panel)
        if f.name not in skipped
    )


def test_an_opened_panel_is_the_kept_one_and_cannot_be_written(tmp_path: Path) -> None:
    cache, panel = PanelCache(tmp_path), panel_of(7)
    assert cache.open("k") is None
    assert cache.keep("k", panel) and cache.verify("k")
    opened = cache.open("k")
    assert opened is not None and same(opened, panel)
    assert opened.sessions == panel.sessions and opened.names[3] == "名3"
    with pytest.raises(ValueError, match="read-only"):
        opened.close[0, 0] = 1


@pytest.mark.parametrize("at", [0, 9, 20, 60, 4100])
def test_damage_of_the_header_is_seen_and_that_of_arrays_by_verify(tmp_path: Path, at: int) -> None:
    cache = PanelCache(tmp_path)
    cache.keep("k", panel_of(7))
    path = tmp_path / "k.panel"
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    opened = cache.open("k")
    assert opened is None or not cache.verify("k")


def test_a_file_cut_short_or_of_another_key_or_format_is_not_read(tmp_path: Path) -> None:
    cache = PanelCache(tmp_path)
    cache.keep("k", panel_of(7))
    path = tmp_path / "k.panel"
    whole = path.read_bytes()
    for length in (0, 5, 47, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert cache.open("k") is None
    path.write_bytes(whole)
    path.rename(tmp_path / "other.panel")
    assert cache.open("other") is None


def test_the_panel_unused_for_longest_makes_room(tmp_path: Path) -> None:
    one = panel_of(40)
    PanelCache(tmp_path).keep("a", one)
    size = 3 * (tmp_path / "a.panel").stat().st_size
    cache = PanelCache(tmp_path, max_bytes=size)
    for number, key in enumerate(("a", "b", "c")):
        cache.keep(key, one)
        for path in tmp_path.glob("*.panel"):
            if path.stem == key:
                os.utime(path, (number, number))
    assert cache.open("a") is not None  # touched: it is the newest now
    cache.keep("d", one)
    kept = {path.stem for path in cache.panels()}
    assert "d" in kept and "a" in kept and "b" not in kept
    assert sum(path.stat().st_size for path in cache.panels()) <= size


def test_a_killed_writer_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\nfrom test_panel_cache import panel_of\n"
        "from quant.research.panel_cache import PanelCache\n"
        "panel, cache = panel_of(4000), PanelCache(Path(sys.argv[1]))\nprint('go', flush=True)\n"
        "for i in range(1000): cache.keep(f'k{i % 3}', panel)\n"
    )
    here = str(Path(__file__).parent)
    for wait in (0.02, 0.11, 0.23):
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), here], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    cache, expected = PanelCache(tmp_path), panel_of(4000)
    for path in cache.panels():
        opened = cache.open(path.stem)
        assert opened is not None and same(opened, expected) and cache.verify(path.stem)


def test_left_overs_of_killed_writers_are_swept(tmp_path: Path) -> None:
    left = tmp_path / ".k.panel.x.tmp"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    PanelCache(tmp_path).keep("k", panel_of(3))
    assert not left.exists()


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert PanelCache(tmp_path / "file" / "below").keep("k", panel_of(3)) is False


def test_keys_differ_by_content_range_and_instant() -> None:
    dates, content = calendar("XSHG"), {"bars_1d": "x", "instruments": "y"}
    key = panel_key(content, dates, DAYS[0], DAYS[5])
    assert key == panel_key({**content, "unrelated": "z"}, dates, DAYS[0], DAYS[5])
    others = [
        panel_key({**content, "bars_1d": "z"}, dates, DAYS[0], DAYS[5]),
        panel_key(content, dates, DAYS[1], DAYS[5]),
        panel_key(content, dates, DAYS[0], DAYS[6]),
        panel_key(content, dates, DAYS[0], DAYS[5], "2024-01-01T00:00:00+00:00"),
    ]
    assert len({key, *others}) == 5
