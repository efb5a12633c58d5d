"""Tables on narrow terminals."""

from __future__ import annotations

import pytest

from quant.qcli.screen import print_table

ROWS = [
    ("instrument_attributes", "tushare+baostock", "2024-01-02", "2024-12-31", 1234567, "2026-11-21 07:17"),
    ("bars_1d", "sim", "2024-01-02", "2024-12-31", 9, "never"),
]
COLUMNS = ("table", "source", "from", "to", "quarantined", "synced")


@pytest.mark.parametrize("width", [80, 120])
def test_dates_and_numbers_are_never_broken(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= width for line in lines)
    for whole in ("2024-01-02", "2024-12-31", "1234567", "2026-11-21"):
        assert any(whole in line for line in lines)


def test_a_table_that_can_never_fit_is_still_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    print_table(COLUMNS, ROWS)
    assert len(capsys.readouterr().out.splitlines()) > len(ROWS)


@pytest.mark.parametrize("width", [50, 200])
def test_a_table_without_rows_shows_its_columns(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(COLUMNS, [])
    assert "source" in capsys.readouterr().out
