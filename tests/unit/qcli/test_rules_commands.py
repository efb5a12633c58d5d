"""``quant rules``: tables, the rows behind an answer, worked cases, errors and exit codes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quant.core.market.tables import DatedTable, Row
from quant.pipelines.flows.rules import problems
from quant.qcli.main import run

CASES = """\
vectors:
  - {id: "a", "func": "board", "given": {"symbol": "000001.SZ", "date": "2024-06-03"}, "expect": "SZSE_MAIN"}
  - {id: "b", "func": "stamp_duty", "given": {"date": "2023-08-28", "side": "sell", "exchange": "SH",
     "asset": "stock", "amount": "100000.00"}, "expect": "%s"}
"""


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(("rules", *words))
    out, err = capsys.readouterr()
    return code, out, err


def call_json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = call(capsys, *words, "--json")
    body = json.loads(out)
    assert body["schema_version"] == 1
    return code, body


@pytest.fixture
def cases(tmp_path: Path) -> Any:
    def write(text: str) -> str:
        path = tmp_path / "cases.yaml"
        path.write_text(text, "utf-8")
        return str(path)

    return write


def test_show_lists_the_tables_and_the_rows_of_one(capsys):
    code, body = call_json(capsys, "show")
    assert code == 0 and len(body["rulebook_hash"]) == 64
    assert {"price_limits", "phases", "stamp_duty"} <= {each["table"] for each in body["tables"]}
    code, body = call_json(capsys, "show", "stamp_duty")
    latest = [row for row in body["rows"] if row["key"] == ["XSHG", "stock"]][-1]
    assert code == 0 and latest["from"] == "2023-08-28" and latest["values"] == {"buy": "0", "sell": "0.0005"}


def test_show_gives_the_rules_of_a_code_on_a_date(capsys):
    code, out, err = call(capsys, "show", "300750.SZ", "2020-08-24")
    assert code == 0
    assert "price limit, status normal" in out and "0.20" in out
    assert "no rule on 2020-08-24: " in err and "high-frequency trading" in err


def test_show_gives_the_rows_of_a_table_that_hold_on_a_date(capsys):
    code, body = call_json(capsys, "show", "stamp_duty", "2023-08-27")
    assert code == 0
    shares = [row for row in body["rows"] if row["key"] == ["XSHG", "stock"]]
    assert [row["values"]["sell"] for row in shares] == ["0.001"]


@pytest.mark.parametrize(
    ("code", "on", "said"),
    [
        ("600519.SH", "2024-06-02", "note: 2024-06-02 is no session of 600519.SH"),
        ("AAPL.US", "2024-07-04", "note: 2024-07-04 is no session of AAPL.US"),
        ("600519.SH", "2030-01-02", "rules of 2030-01-02 are those known today"),
        ("600519.SH", "2024-06-03", ""),
        ("BTCUSDT.BINANCE", "2024-06-02", ""),
    ],
)
@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_date_without_trading_is_told(capsys, command, code, on, said):
    got, _, err = call(capsys, command, code, on)
    assert got == 0 and said in err and (bool(said) == ("note:" in err))


@pytest.mark.parametrize(
    ("code", "has", "lacks"),
    [
        ("rb2410.SHFE", "futures close today", ("index fee", "options")),
        ("T2406.CFFEX", "futures limits", ("index fee", "options")),
        ("IF2406.CFFEX", "futures index fee, close_today", ("options",)),
        ("510050.SH", "margin of who sells options on it", ("futures close", "index fee")),
        ("600519.SH", "stamp duty", ("options",)),
    ],
)
def test_show_keeps_to_the_rules_of_the_product(capsys, code, has, lacks):
    got, out, _ = call(capsys, "show", code, "2024-06-03")
    assert got == 0 and has in out and not any(each in out for each in lacks)


def test_explain_names_the_row_the_document_and_how_certain_it_is(capsys):
    code, out, _ = call(capsys, "explain", "600000.SH", "2026-07-06")
    assert code == 0
    assert "row     price_limits SSE_MAIN st, 2026-07-06 to today, sure: 0.10" in out
    assert "SSE2026: SSE trading rules 2026" in out
    code, body = call_json(capsys, "explain", "600000.SH", "2026-07-03")
    answers = {each["question"]: each["row"] for each in body["rules"]}
    assert code == 0 and answers["price limit, status st"]["values"] == {"rate": "0.05"}
    assert answers["price limit, status st"]["to"] == "2026-07-05"
    assert answers["phase after_hours"] is None


def test_the_tables_have_no_problems(capsys):
    code, body = call_json(capsys, "show", "--problems")
    assert (code, body["problems"]) == (0, [])


def test_verify_passes_and_says_how_many(capsys, cases):
    code, out, err = call(capsys, "verify", cases(CASES % "50.00"))
    assert (code, out) == (0, "") and "2 of 2 cases hold" in err


def test_a_mismatch_is_printed_with_the_row_that_decided_and_ends_with_3(capsys, cases):
    path = cases(CASES % "100.00")
    code, out, err = call(capsys, "verify", path)
    assert code == 3 and "1 of 2 cases hold" in err
    assert f"{path}:3:5: b (stamp_duty)" in out
    assert "expected  100.00" in out and "got       50.00" in out
    assert "stamp_duty XSHG stock, 2023-08-28 to today, sure" in out
    code, body = call_json(capsys, "verify", path)
    assert code == 3 and (body["passed"], body["failed"]) == (1, 1)
    assert [(each["id"], each["expected"], each["got"]) for each in body["cases"]][1] == (
        "b",
        "100.00",
        "50.00",
    )


@pytest.mark.parametrize("expect", ["{up: 11.06}", "{up: 11.06, down: '9.05'}"])
def test_a_number_where_a_text_is_the_answer_is_told(capsys, cases, expect):
    given = '{symbol: "600000.SH", date: "2024-06-03", prev_close: "10.05", status: normal}'
    code, out, _ = call(
        capsys,
        "verify",
        cases(f"vectors:\n  - {{id: x, func: price_limit, given: {given}, expect: {expect}}}\n"),
    )
    assert code == 3 and "write what is expected in quotes" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "tick"), 2, "did you mean ticks?"),
        (("show", "600000.SH"), 2, "give a date too"),
        (("show", "600000.SH", "yesterday"), 2, "is not a date"),
        (("show", "833819.BJ", "2025-10-09"), 1, "no boards rule for exchange BJSE"),
        (("explain", "900901.SH", "2020-01-01"), 1, "Shanghai B share"),
        (("show", "688981.SH", "2019-07-21"), 1, "2019-07-22 to today"),
        (("show", "699999.SH", "2024-06-03"), 1, "quant rules show boards lists what it has"),
        (("show", "XX2406.CFFEX", "2024-06-03"), 1, "no rules are kept for XX2406.CFFEX"),
        (("verify", "no such file"), 2, "cannot be read"),
    ],
)
def test_errors_say_what_and_how_to_mend_it(capsys, words, code, said):
    got, out, err = call(capsys, *words)
    assert (got, out) == (code, "") and said in err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cases: []\n", "no list of cases"),
        ("vectors: []\n", "holds no case"),
        ('vectors:\n  - {id: "a", func: "board", given: {}}\n', "a case lacks expect"),
        ('vectors:\n  - {id: "a", func: "board", given: 1, expect: 1}\n', "given must be a mapping"),
        ('vectors:\n  - {id: "a", func: board, given: {}, expect: 1}\n  - {id: "a", func: board, given: {}, expect: 1}\n', "two cases are called a"),  # noqa: E501
        ("vectors: [\n", "error"),
    ],
)  # fmt: skip
def test_a_file_without_cases_is_an_error_with_its_line(capsys, cases, text, said):
    code, _, err = call(capsys, "verify", cases(text))
    assert code == 2 and said in err and "cases.yaml:" in err


@pytest.mark.parametrize(
    ("func", "given", "said"),
    [
        ("no_such", "{}", "no rule function is called no_such"),
        ("boards", '{"symbol": "000001.SZ"}', "did you mean board?"),
        ("board", '{"symbol": "000001.SZ"}', "the case does not give date"),
        ("board", '{"symbol": "000001.SZ", "date": "today"}', "date is not a date as 2024-06-03"),
        ("phase", '{"symbol": "000001.SZ", "date": "2024-06-03", "time": "25:00"}', "not a time of day"),
    ],
)
def test_a_case_that_cannot_be_run_is_a_mismatch_that_says_why(capsys, cases, func, given, said):
    code, out, _ = call(
        capsys, "verify", cases(f"vectors:\n  - {{id: x, func: {func}, given: {given}, expect: 1}}\n")
    )
    assert code == 3 and "got       ERROR" in out and said in out


def row(start: date, end: date | None, *source: str) -> Row:
    return Row("made", ("K",), start, end, {"rate": "1"}, source, "sure", None)


def made(*rows: Row) -> DatedTable:
    return DatedTable("made", "made.toml", ("key",), {("K",): rows}, {("K",): tuple(r.start for r in rows)})


def test_overlaps_gaps_and_unknown_sources_are_problems():
    first, second = row(date(2020, 1, 1), date(2020, 6, 30), "KNOWN"), row(date(2020, 7, 1), None, "KNOWN")
    assert problems([made(first, second)]) == []
    late, early = row(date(2020, 7, 2), None, "KNOWN"), row(date(2020, 6, 30), None, "KNOWN")
    assert [(p.kind, p.said) for p in problems([made(first, late)])] == [
        ("gap", "between 2020-06-30 and 2020-07-02")
    ]
    assert [(p.kind, p.said) for p in problems([made(first, early)])] == [
        ("overlap", "2020-01-01 to 2020-06-30 and 2020-06-30 to today")
    ]
    assert [p.said for p in problems([made(row(date(2020, 1, 1), None, "HEARSAY"))])] == [
        "2020-01-01 to today: no source HEARSAY"
    ]
    assert [p.kind for p in problems([made(row(date(2020, 1, 1), None))])] == ["source"]
    assert [p.kind for p in problems([DatedTable("made", "made.toml", (), {}, {})])] == ["empty"]


def test_a_problem_ends_with_3(capsys, monkeypatch):
    found = problems([made(row(date(2020, 1, 1), None, "HEARSAY"))])
    monkeypatch.setattr("quant.pipelines.flows.rules.problems", lambda: found)
    code, out, _ = call(capsys, "show", "--problems")
    assert code == 3 and "no source HEARSAY" in out
