"""One momentum strategy as a class, a JoinQuant file and a RiceQuant file: the same fills, the same hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from platform_case import data_of, market, run

CLASS = """
    import numpy as np

    class Mine:
        def __init__(self):
            self.day = 0

        def decide(self, view):
            self.day += 1
            if self.day <= 21 or self.day % 5:
                return
            close = view.history("close", 21)
            strength = close[-1] / close[0] - 1
            best = [view.codes[i] for i in np.argsort(-strength, kind="stable")[:3]]
            for code, held in view.positions.items():
                if code not in best and held.sellable and view.tradable()[view.codes.index(code)]:
                    view.order(code, "sell", held.sellable)
            for code in best:
                i = view.codes.index(code)
                if view.position(code) == 0 and view.tradable()[i]:
                    view.order(code, "buy", 300)
"""

JOINQUANT = """
    from jqdata import *

    def initialize(context):
        set_benchmark("000300.XSHG")
        set_option("use_real_price", True)
        log.set_level("order", "error")
        g.day = 0
        run_daily(trade, time="open")

    def trade(context):
        g.day += 1
        if g.day <= 21 or g.day % 5:
            return
        codes = list(get_all_securities(["stock"]).index)
        close = history(21, "1d", "close", codes)
        strength = close.iloc[-1] / close.iloc[0] - 1
        best = list(strength.sort_values(ascending=False, kind="stable").index[:3])
        current = get_current_data()
        for code, held in context.portfolio.positions.items():
            if code not in best and held.closeable_amount and not current[code].paused:
                order_target(code, 0)
        for code in best:
            if context.portfolio.positions[code].total_amount == 0 and not current[code].paused:
                order(code, 300)
"""

RICEQUANT = """
    from rqalpha.apis import *
    import numpy as np

    def init(context):
        context.day = 0

    def handle_bar(context, bar_dict):
        context.day += 1
        if context.day <= 21 or context.day % 5:
            return
        codes = list(all_instruments("CS").order_book_id)
        first = [history_bars(c, 21, "1d", "close", skip_suspended=False) for c in codes]
        strength = np.array([bars[-1] / bars[0] - 1 for bars in first])
        best = [codes[i] for i in np.argsort(-strength, kind="stable")[:3]]
        for code, held in context.portfolio.positions.items():
            if code not in best and held.closable and not is_suspended(code):
                order_to(code, 0)
        for code in best:
            if get_position(code).quantity == 0 and not is_suspended(code):
                order_shares(code, 300)
"""


@pytest.mark.parametrize("fill", ["open", "close", "vwap"])
def test_a_class_and_a_joinquant_file_before_the_open(tmp_path: Path, fill: str) -> None:
    ours = run(tmp_path, "class", CLASS, decide="before_open", fill_at=fill)
    theirs = run(tmp_path, "joinquant", JOINQUANT, fill_at=fill)
    assert len(ours.kernel.fills()["row"]) > 20
    assert theirs.chain == ours.chain


@pytest.mark.parametrize(("decide", "fill"), [("after_close", "open"), ("before_close", "close")])
def test_a_class_and_a_ricequant_file(tmp_path: Path, decide: str, fill: str) -> None:
    ours = run(tmp_path, "class", CLASS, decide=decide, fill_at=fill)
    theirs = run(tmp_path, "ricequant", RICEQUANT, decide=decide, fill_at=fill)
    assert len(ours.kernel.fills()["row"]) > 20
    assert theirs.chain == ours.chain


def test_all_three_where_their_instants_coincide(tmp_path: Path) -> None:
    """At 14:57 of a quiet market, filled at the close: each sees the bars up to yesterday."""
    data = data_of(market(wild=0.0))
    timed = JOINQUANT.replace('time="open"', 'time="14:50"')
    found = [
        run(tmp_path, "class", CLASS, data=data, decide="before_close", fill_at="close"),
        run(tmp_path, "joinquant", timed, data=data, fill_at="close"),
        run(tmp_path, "ricequant", RICEQUANT, data=data, decide="before_close", fill_at="close"),
    ]
    hashes = {result.state_hash for result in found}
    assert len(hashes) == 1
    fills = [result.kernel.fills() for result in found]
    assert len(fills[0]["row"]) > 20
    for name in ("row", "instrument", "side", "quantity", "price", "commission"):
        assert np.array_equal(fills[0][name], fills[1][name])
        assert np.array_equal(fills[0][name], fills[2][name])
