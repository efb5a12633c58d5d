"""The book of calls: never more than the vendor allows, whoever asks."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quant.core.errors import TransientError
from quant.core.time import from_datetime
from quant.warehouse.sources.quota import Quota, Spent, account_key, quota_path
from quant.warehouse.sources.settings import LimitSettings

ZONE = "Asia/Shanghai"
ASKER = """
import sys, time
from pathlib import Path
from quant.warehouse.sources.quota import Quota
from quant.warehouse.sources.settings import LimitSettings
quota, limits = Quota(Path(sys.argv[1]), window=1.0), LimitSettings(per_minute=5)
for _ in range(int(sys.argv[2])):
    with quota.call("v:1", limits, "Asia/Shanghai"):
        print(time.time(), flush=True)
        time.sleep(0.02)
"""


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, start: datetime) -> None:
        self.at = from_datetime(start)
        self.slept = 0.0

    def now(self) -> int:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.at += round(seconds * 1e9)


def book(tmp_path: Path, clock: Clock) -> Quota:
    return Quota(tmp_path / "quota.db", now=clock.now, sleep=clock.sleep)


def test_two_processes_together_never_ask_more_than_allowed(tmp_path: Path) -> None:
    asker = [sys.executable, "-c", ASKER, str(tmp_path / "quota.db"), "8"]
    running = [subprocess.Popen(asker, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    stamps = sorted(float(line) for each in running for line in each.communicate(timeout=60)[0].split())
    assert [each.returncode for each in running] == [0, 0]
    assert len(stamps) == 16
    for first in range(len(stamps) - 5):
        assert stamps[first + 5] - stamps[first] >= 1.0


def test_threads_share_the_book(tmp_path: Path) -> None:
    quota, limits, done = Quota(tmp_path / "quota.db", window=0.5), LimitSettings(per_minute=3), []

    def ask() -> None:
        for _ in range(3):
            with quota.call("v:1", limits, ZONE):
                done.append(1)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert len(done) == 9
    assert quota.spent("v:1", ZONE).day == 9


def test_a_call_counts_until_a_minute_after_its_answer(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 3, 4, 2, tzinfo=UTC))
    quota, limits = book(tmp_path, clock), LimitSettings(per_minute=1)
    with quota.call("v:1", limits, ZONE):
        clock.sleep(45)
    clock.slept = 0.0
    with quota.call("v:1", limits, ZONE):
        assert 60.0 <= clock.slept <= 61.0


def test_a_call_that_failed_counts_too(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 3, 4, 2, tzinfo=UTC))
    quota, limits = book(tmp_path, clock), LimitSettings(per_minute=10)
    with pytest.raises(ValueError, match="lost"), quota.call("v:1", limits, ZONE):
        raise ValueError("lost")
    assert quota.spent("v:1", ZONE) == Spent(1, 1)


def test_a_call_whose_process_was_killed_does_not_count_for_ever(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 3, 4, 2, tzinfo=UTC))
    quota, limits = book(tmp_path, clock), LimitSettings(per_minute=1)
    killed = quota.call("v:1", limits, ZONE)
    killed.__enter__()
    with quota.call("v:1", limits, ZONE):
        assert 840 <= clock.slept <= 961


def test_the_day_is_the_vendors(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 3, 4, 15, 59, tzinfo=UTC))  # 23:59 in Shanghai
    quota, limits = book(tmp_path, clock), LimitSettings(per_day=2)
    for _ in range(2):
        with quota.call("v:1", limits, ZONE):
            pass
    with pytest.raises(TransientError) as caught, quota.call("v:1", limits, ZONE):
        pass
    assert (caught.value.fault.code, caught.value.exit_code) == ("vendor.quota", 4)
    assert "2024-03-05 00:00" in str(caught.value.fault.hint)
    clock.sleep(timedelta(minutes=2).total_seconds())
    with quota.call("v:1", limits, ZONE):
        assert quota.spent("v:1", ZONE).day == 1


def test_accounts_are_counted_apart_and_named_by_a_digest(tmp_path: Path) -> None:
    clock = Clock(datetime(2024, 3, 4, 2, tzinfo=UTC))
    quota, limits = book(tmp_path, clock), LimitSettings(per_minute=1)
    mine, yours = account_key("tushare", "secret-a"), account_key("tushare", "secret-b")
    with quota.call(mine, limits, ZONE), quota.call(yours, limits, ZONE):
        assert clock.slept == 0
    assert b"secret" not in (tmp_path / "quota.db").read_bytes()


def test_where_no_limit_is_known_nothing_is_written(tmp_path: Path) -> None:
    quota = Quota(tmp_path / "quota.db")
    with quota.call("v:1", LimitSettings(), ZONE):
        pass
    assert not (tmp_path / "quota.db").exists()
    assert quota.spent("v:1", ZONE) == Spent(0, 0)


def test_a_broken_book_is_said_with_its_place_and_a_closed_one_opens_again(tmp_path: Path) -> None:
    quota, limits = Quota(tmp_path / "quota.db"), LimitSettings(per_minute=5)
    with quota.call("v:1", limits, ZONE):
        quota.close()
    assert quota.spent("v:1", ZONE) == Spent(1, 1)
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    with pytest.raises(TransientError) as caught, Quota(broken).call("v:1", limits, ZONE):
        pass
    assert caught.value.fault.code == "vendor.book"
    assert str(broken) in str(caught.value.fault.expected)


def test_the_book_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANT_QUOTA_DB", str(tmp_path / "a.db"))
    assert quota_path("elsewhere.db") == tmp_path / "a.db"
    monkeypatch.delenv("QUANT_QUOTA_DB")
    assert quota_path(tmp_path / "b.db") == tmp_path / "b.db"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert quota_path() == tmp_path / "quant" / "quota.db"
