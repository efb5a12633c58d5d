"""What all vendors share, on an adapter that is told what to answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from scripted import DAYS, FIELDS, SETTINGS, Row, Scripted, day_of, fetched, refused, rows_of, source, whole

from quant.core.errors import CheckFailed, TransientError
from quant.core.time import from_datetime
from quant.warehouse.sources.received import finish
from quant.warehouse.sources.vendor import Call, VendorFault
from quant.warehouse.store import LocalFolder

# --- troubles ---------------------------------------------------------------------------------------------


def test_a_passing_trouble_is_asked_again(tmp_path: Path) -> None:
    def reply(call: Call, tries: int) -> list[Row]:
        if tries < 4:
            raise VendorFault("transient", "no line")
        return whole(call, tries)

    adapter = Scripted(reply)
    assert len(fetched(source(adapter, tmp_path))) == 5
    assert len(adapter.asked) == 20
    assert adapter.closed == 1


def test_a_lasting_trouble_is_exit_4_after_the_declared_attempts(tmp_path: Path) -> None:
    def reply(_call: Call, _tries: int) -> list[Row]:
        raise VendorFault("transient", "no line")

    adapter = Scripted(reply)
    error = refused(source(adapter, tmp_path))
    assert (error.exit_code, error.fault.code, len(adapter.asked)) == (4, "vendor.unreachable", 4)
    assert error.fault.found == "no line"


@pytest.mark.parametrize(
    ("trouble", "code", "exit_code"), [("refused", "vendor.refused", 1), ("invalid", "vendor.answer", 3)]
)
def test_what_cannot_pass_is_never_asked_again(
    trouble: str, code: str, exit_code: int, tmp_path: Path
) -> None:
    def reply(_call: Call, _tries: int) -> list[Row]:
        raise VendorFault(trouble, "no rights for a-secret")  # type: ignore[arg-type]

    adapter = Scripted(reply)
    error = refused(source(adapter, tmp_path))
    assert (error.exit_code, error.fault.code, len(adapter.asked)) == (exit_code, code, 1)


def test_a_vendor_that_says_how_long_to_wait_is_waited_for(tmp_path: Path) -> None:
    waits: list[float] = []

    def reply(call: Call, tries: int) -> list[Row]:
        if tries == 1:
            raise VendorFault("quota", "slowly", retry_after=17.0)
        return whole(call, tries)

    made = source(Scripted(reply), tmp_path)
    made._sleep = waits.append
    assert len(fetched(made)) == 5
    assert waits == [17.0] * 5


def test_a_vendor_that_is_done_for_the_day_ends_at_once_with_exit_4(tmp_path: Path) -> None:
    def reply(_call: Call, _tries: int) -> list[Row]:
        raise VendorFault("quota", "tomorrow", retry_after=86_400.0)

    adapter = Scripted(reply)
    error = refused(source(adapter, tmp_path))
    assert (error.exit_code, error.fault.code, len(adapter.asked)) == (4, "vendor.quota", 1)


def test_the_days_quota_ends_with_exit_4_and_the_next_run_goes_on(tmp_path: Path) -> None:
    limited = replace(SETTINGS, limits=replace(SETTINGS.limits, per_day=3))
    adapter = Scripted(whole)
    error = refused(source(adapter, tmp_path, limited))
    assert isinstance(error, TransientError)
    assert (error.fault.code, len(adapter.asked)) == ("vendor.quota", 3)
    assert "run the command again after" in str(error.fault.hint)
    (tmp_path / "quota.db").unlink()  # the next day
    assert len(fetched(source(adapter, tmp_path, limited))) == 5
    assert len(adapter.asked) == 5


# --- doubts -----------------------------------------------------------------------------------------------


def spoilt_once(spoil: Callable[[date], list[Row]], lasting: bool = False) -> Scripted:
    def reply(call: Call, tries: int) -> list[Row]:
        day = day_of(call)
        odd = day == DAYS[2] and (lasting or tries == 1)
        return spoil(day) if odd else rows_of(day)

    return Scripted(reply)


DOUBTS: dict[str, tuple[Callable[[date], list[Row]], str, int]] = {
    "empty": (lambda _day: [], "vendor.empty", 4),
    "another day": (lambda day: rows_of(day - timedelta(days=1)), "vendor.unasked", 3),
    "the future": (lambda _day: rows_of(date(2090, 1, 3)), "vendor.clock", 3),
    "twice": (lambda day: rows_of(day) * 2, "vendor.repeated", 3),
    "words for numbers": (
        lambda day: [[*row[:2], "x", *row[3:]] for row in rows_of(day)],
        "vendor.schema",
        3,
    ),
    "another unit": (
        lambda day: [[*row[:4], float(str(row[4])) * 100, row[5]] for row in rows_of(day, CODES)],
        "vendor.schema",
        3,
    ),
}
CODES = [f"60000{n}.SH" for n in range(8)]


@pytest.mark.parametrize("name", DOUBTS)
def test_an_odd_answer_is_asked_for_again(name: str, tmp_path: Path) -> None:
    adapter = spoilt_once(DOUBTS[name][0])
    payloads = fetched(source(adapter, tmp_path))
    assert [json.loads(p.content)["items"][0][1] for p in payloads] == [d.isoformat() for d in DAYS]
    assert len(adapter.asked) == 6


@pytest.mark.parametrize("name", DOUBTS)
def test_an_answer_that_stays_odd_stops_the_table_and_is_kept(name: str, tmp_path: Path) -> None:
    spoil, code, exit_code = DOUBTS[name]
    adapter = spoilt_once(spoil, lasting=True)
    error = refused(source(adapter, tmp_path))
    assert (error.fault.code, error.exit_code) == (code, exit_code)
    assert error.fault.expected
    assert error.fault.found
    assert len(adapter.asked) == 5
    kept = {p.read_bytes() for p in (tmp_path / "lake" / "raw" / "v").rglob("*") if p.is_file()}
    spoilt = json.dumps({"fields": adapter.names, "items": spoil(DAYS[2])}).encode()
    assert spoilt in kept


def test_the_answer_to_another_question_is_doubted(tmp_path: Path) -> None:
    undated = replace(
        SETTINGS, datasets={"bars_1d": replace(SETTINGS.datasets["bars_1d"], fields=FIELDS[:1])}
    )

    def reply(_call: Call, _tries: int) -> list[Row]:
        return rows_of(DAYS[0])

    error = refused(source(Scripted(reply), tmp_path, undated))
    assert (error.fault.code, error.exit_code) == ("vendor.repeated", 3)


def test_a_missing_column_stops_the_table(tmp_path: Path) -> None:
    adapter = Scripted(lambda call, _t: [row[:5] for row in rows_of(day_of(call))])
    adapter.names = adapter.names[:5]
    error = refused(source(adapter, tmp_path))
    assert (error.fault.code, error.exit_code) == ("vendor.schema", 3)
    assert "money" in error.fault.message


def test_far_too_few_rows_are_doubted(tmp_path: Path) -> None:
    adapter = Scripted(whole, guess=100)
    error = refused(source(adapter, tmp_path))
    assert (error.fault.code, error.exit_code) == ("vendor.short", 4)


def test_an_empty_answer_is_believed_where_the_spec_allows_it(tmp_path: Path) -> None:
    dataset = replace(SETTINGS.datasets["bars_1d"], empty_allowed=True)
    adapter = spoilt_once(lambda _day: [], lasting=True)
    made = source(adapter, tmp_path, replace(SETTINGS, datasets={"bars_1d": dataset}))
    assert len(fetched(made)) == 5
    assert len(adapter.asked) == 5


# --- full pages -------------------------------------------------------------------------------------------


def test_a_full_page_is_split_and_asked_again(tmp_path: Path) -> None:
    codes = [f"6000{n:02d}.SH" for n in range(10)]
    settings = replace(SETTINGS, limits=replace(SETTINGS.limits, max_rows=5))

    def chosen(call: Call) -> list[str]:
        return str(call.params["codes"]).split(",") if "codes" in call.params else codes

    def split(call: Call) -> list[Call]:
        half = len(chosen(call)) // 2
        parts = (chosen(call)[:half], chosen(call)[half:])
        return [replace(call, params={**call.params, "codes": ",".join(p)}) for p in parts if half]

    adapter = Scripted(lambda call, _t: rows_of(day_of(call), chosen(call))[:5], parts=split)
    payloads = fetched(source(adapter, tmp_path, settings), DAYS[0], DAYS[0])
    found = [row[0] for p in payloads for row in json.loads(p.content)["items"]]
    assert sorted(found) == codes


def test_a_page_may_be_kept_and_the_next_one_asked(tmp_path: Path) -> None:
    codes = [f"6000{n:02d}.SH" for n in range(10)]
    settings = replace(SETTINGS, limits=replace(SETTINGS.limits, max_rows=4))

    def offset(call: Call) -> int:
        return int(str(call.params.get("offset", 0)))

    adapter = Scripted(
        lambda call, _t: rows_of(day_of(call), codes)[offset(call) : offset(call) + 4],
        parts=lambda call: [call, replace(call, params={**call.params, "offset": offset(call) + 4})],
    )
    payloads = fetched(source(adapter, tmp_path, settings), DAYS[0], DAYS[0])
    assert [len(json.loads(p.content)["items"]) for p in payloads] == [4, 4, 2]
    assert len(adapter.asked) == 3


def test_a_page_larger_than_declared_is_no_page_to_count_from(tmp_path: Path) -> None:
    codes = [f"6000{n:02d}.SH" for n in range(10)]
    settings = replace(SETTINGS, limits=replace(SETTINGS.limits, max_rows=4))
    adapter = Scripted(
        lambda call, _t: rows_of(day_of(call), codes)[int(str(call.params.get("offset", 0))) :][:6],
        parts=lambda call: [call, replace(call, params={**call.params, "offset": 4})],
    )
    error = refused(source(adapter, tmp_path, settings))
    assert (error.fault.code, error.exit_code) == ("vendor.page", 3)
    assert "max_rows: 6" in str(error.fault.hint)


@pytest.mark.parametrize("choice", ["split", "refuse"])
def test_a_full_page_that_cannot_be_split_is_exit_3(choice: str, tmp_path: Path) -> None:
    limits = replace(SETTINGS.limits, max_rows=3, on_full_page=choice)  # type: ignore[arg-type]
    parts: Callable[[Call], Sequence[Call]] = (lambda c: [c]) if choice == "refuse" else (lambda _c: ())
    error = refused(source(Scripted(whole, parts=parts), tmp_path, replace(SETTINGS, limits=limits)))
    assert isinstance(error, CheckFailed)
    assert error.fault.code == "vendor.truncated"


# --- resuming ---------------------------------------------------------------------------------------------


def test_what_has_arrived_is_not_asked_again(tmp_path: Path) -> None:
    adapter = Scripted(whole)
    reading = source(adapter, tmp_path).fetch("bars_1d", DAYS[0], DAYS[-1])
    first = [next(reading).digest for _ in range(3)]
    reading.close()
    again = Scripted(whole)
    digests = [p.digest for p in fetched(source(again, tmp_path))]
    assert digests[:3] == first
    assert [day_of(call) for call in again.asked] == DAYS[3:]


def test_a_torn_journal_and_a_lost_payload_cost_only_their_own_call(tmp_path: Path) -> None:
    fetched(source(Scripted(whole), tmp_path))
    journal = tmp_path / "lake" / "raw" / "v" / "received" / "bars_1d.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:4]) + lines[4][:40])
    lost = json.loads(lines[1])["payload"]
    (tmp_path / "lake" / "raw" / "v" / lost[:2] / lost).unlink()
    again = Scripted(whole)
    assert len(fetched(source(again, tmp_path))) == 5
    assert [day_of(call) for call in again.asked] == [DAYS[1], DAYS[4]]
    third = Scripted(whole)
    assert len(fetched(source(third, tmp_path))) == 5
    assert third.asked == []


def test_a_finished_interval_is_asked_again_but_not_for_another_table(tmp_path: Path) -> None:
    fetched(source(Scripted(whole), tmp_path))
    finish(LocalFolder(tmp_path / "lake"), "v", "bars_1d")
    aside = Scripted(whole)
    assert len(fetched(source(aside, tmp_path, table="corporate_actions"))) == 5
    assert aside.asked == []
    again = Scripted(whole)
    fetched(source(again, tmp_path))
    assert len(again.asked) == 5


def test_a_changed_spec_does_not_resume_what_another_began(tmp_path: Path) -> None:
    fetched(source(Scripted(whole), tmp_path))
    dataset = replace(SETTINGS.datasets["bars_1d"], fields=FIELDS[:4])
    again = Scripted(whole)
    fetched(source(again, tmp_path, replace(SETTINGS, datasets={"bars_1d": dataset})))
    assert len(again.asked) == 5


# --- threads ----------------------------------------------------------------------------------------------


def test_questions_go_out_side_by_side_but_answers_come_in_order(tmp_path: Path) -> None:
    def reply(call: Call, tries: int) -> list[Row]:
        time.sleep(0.03 if day_of(call) == DAYS[0] else 0.005)
        return whole(call, tries)

    settings = replace(SETTINGS, limits=replace(SETTINGS.limits, parallel=2))
    adapter = Scripted(reply)
    payloads = fetched(source(adapter, tmp_path, settings))
    assert [p.request["date"] for p in payloads] == [d.isoformat() for d in DAYS]
    assert adapter.most_at_once == 2


def test_a_client_that_knows_no_threads_is_asked_one_by_one(tmp_path: Path) -> None:
    settings = replace(SETTINGS, provider="baostock", limits=replace(SETTINGS.limits, parallel=4))
    adapter = Scripted(whole)
    fetched(source(adapter, tmp_path, settings))
    assert adapter.most_at_once == 1


def test_a_call_of_today_counts_on_the_day_of_the_sources_zone(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    now = from_datetime(datetime(2024, 3, 7, 17, 0, tzinfo=UTC))  # already the 8th in Shanghai
    made = source(Scripted(whole), tmp_path)
    made._now = lambda: now
    assert len(fetched(made)) == 5
