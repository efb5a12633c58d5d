"""The dated tax on dividends as the kernel's table."""

from __future__ import annotations

from datetime import date

from quant.core.market.instrument import Board
from quant.research.market import dividend_tax_tables


def test_the_tax_goes_by_the_record_date_and_spares_funds_and_bonds() -> None:
    sessions = [date(2012, 12, 31), date(2013, 1, 4), date(2013, 1, 7), date(2015, 9, 8), date(2015, 9, 9)]
    tables = dividend_tax_tables(sessions)
    share, percent = Board.SSE_MAIN, 10_000_000
    columns = (tables.upto_month, tables.upto_year, tables.beyond)
    rates = [(table[:, share] // percent).tolist() for table in columns]
    assert rates == [[10, 10, 20, 20, 20], [10, 10, 10, 10, 10], [10, 10, 5, 5, 0]]
    for board in (Board.SSE_FUND, Board.SZSE_FUND, Board.SSE_CB, Board.SZSE_CB, Board.UNKNOWN):
        assert not tables.upto_month[:, board].any()
