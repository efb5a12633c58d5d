"""The rulebook against 116,000 real stock-days: nothing trades beyond a limit, and much trades at one."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

from quant.core.ids import parse_code
from quant.core.market.instrument import Status
from quant.core.market.rules import rulebook

CENT = Decimal("0.01")


def stock_days(file: Path) -> Iterator[tuple[date, int | None, dict[str, str]]]:
    """(session, listing day where the file starts with the listing, row) of each session with trades."""
    with gzip.open(file, "rt") as text:
        rows = list(csv.DictReader(text))
    listed_here = bool(rows) and rows[0]["date"] > "2020-01-10"
    for place, row in enumerate(rows):
        if row["tradestatus"] == "1":
            yield date.fromisoformat(row["date"]), place + 1 if listed_here else None, row


def test_no_csi300_stock_traded_beyond_its_limits_from_2020_to_2025(shared):
    folder = shared("data/ashare_02*")
    book, found, beyond = rulebook(), Counter[str](), []
    for file in sorted(folder.glob("*.csv.gz")):
        code = parse_code(file.name.removesuffix(".csv.gz"))
        for on, listing_day, row in stock_days(file):
            reference, high, low = (Decimal(row[name]).quantize(CENT) for name in ("preclose", "high", "low"))
            status = Status.ST if row["isST"] == "1" else Status.NORMAL
            up, down = book.price_limit(book.board(code, on), status, on, reference, listing_day)
            found["days"] += 1
            if up is None or down is None:
                found["free"] += 1
            elif high > up or low < down:
                beyond.append((str(code), on))
            else:
                found["at the limit"] += (high == up) + (low == down)
                found["a tick inside"] += (high == up - CENT) + (low == down + CENT)
    assert beyond == [("000792.SZ", date(2021, 8, 10))]
    assert found["days"] > 100_000
    assert found["free"] > 0
    assert found["at the limit"] > 10 * found["a tick inside"]


def test_the_one_exception_was_a_resumed_listing():
    resumed = rulebook().price_limit(
        rulebook().board("000792.SZ", date(2021, 8, 10)),
        Status.NORMAL,
        date(2021, 8, 10),
        Decimal("8.84"),
        event="resumed_listing",
    )
    assert resumed == (None, None)
