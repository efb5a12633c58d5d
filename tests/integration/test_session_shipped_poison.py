"""Every shipped strategy, and every shipped factor as a signal, decides alike whatever comes after."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from session_case import random_market
from spec_workspaces import FullCatalog, load

from quant.core.errors import CheckFailed
from quant.core.market.calendar import calendar
from quant.core.time import from_epoch_days
from quant.pipelines.wiring import assemble, paper_data, session_strategy
from quant.research.panel import Actions, Panel
from quant.specs import Registry, resolve
from quant.specs.compile import BacktestPlan, compile_backtest
from quant.trading.strategies.poison import PoisonCase, check_panel_poison, poison_panel

SESSIONS, INSTRUMENTS = 150, 40
RUN = """\
apiVersion: quant/v1
kind: backtest
name: run
use: {{strategy: {name}, universe: all_listed, cost: cn_stock, risk: default}}
range: [{start}, {end}]
cash: 10_000_000
fill: {{at: open}}
"""
BY_FACTOR = """\
apiVersion: quant/v1
kind: strategy
name: by_factor
signal: {name}
construct: {{method: score, top: 8, cash_buffer: 2%, max_weight: 20%}}
rebalance: {{every: week, on: last}}
"""


@pytest.fixture(scope="module")
def panel() -> Panel:
    market = random_market(SESSIONS, INSTRUMENTS, seed=8)
    a = market.arrays
    ratio = np.where(a["close"] > 0, np.roll(a["close"], 1, axis=0) / a["pre_close"], 1.0)
    ratio[0] = 1.0
    days = tuple(from_epoch_days(int(d)) for d in a["sessions"])
    return Panel(
        sessions=days,
        instruments=np.arange(1, INSTRUMENTS + 1),
        codes=tuple(f"60{i:04d}.SH" for i in range(INSTRUMENTS)),
        names=tuple(f"name {i}" for i in range(INSTRUMENTS)),
        boards=np.ones(INSTRUMENTS, np.uint8),
        list_sessions=np.full(INSTRUMENTS, (days[0] - date(1970, 1, 1)).days - 900, np.int32),
        amount=a["volume"] * (a["vwap"] / 10_000),
        factor=np.cumprod(ratio, axis=0),
        actions=Actions(**market.actions),
        **{n: a[n] for n in ("open", "high", "low", "close", "pre_close", "limit_up", "limit_down", "vwap")},
        volume=a["volume"],
        flags=a["flags"],
    )


def compiled(registry: Registry, panel: Panel) -> BacktestPlan:
    first = calendar("XSHG").first
    catalog = FullCatalog(start=first, end=panel.sessions[-1] + timedelta(days=1))
    return compile_backtest(
        resolve(registry, "backtest", "run", []), catalog, rulebook_hash="r", kernel_hash="k"
    )


def check(registry: Registry, panel: Panel) -> int:
    plan = compiled(registry, panel)

    def build(given: Panel) -> PoisonCase:
        prepared = assemble(plan, given)
        return PoisonCase(
            plan,
            paper_data(prepared),
            prepared.config,
            prepared.rows,
            lambda _data: session_strategy(prepared, Path("strategies")),
        )

    rows = build(panel).rows
    return check_panel_poison(build, panel, [int(rows[1]), int(rows[len(rows) // 2]), int(rows[-1])])


def workspace(root: Path, panel: Panel, name: str, **more: str) -> Registry:
    run = RUN.format(name=name, start=panel.sessions[62], end=panel.sessions[-1])
    return load(root, run=run, **more)


@pytest.mark.parametrize("name", ["momentum_topn", "mean_reversion", "double_ma"])
def test_shipped_strategy(tmp_path: Path, panel: Panel, name: str) -> None:
    assert check(workspace(tmp_path, panel, name), panel) > 0


@pytest.mark.parametrize(
    "name", ["momentum_20", "reversal_5", "volatility_20", "turnover_20", "price_volume_10"]
)
def test_shipped_factor(tmp_path: Path, panel: Panel, name: str) -> None:
    registry = workspace(tmp_path, panel, "by_factor", strategy=BY_FACTOR.format(name=name))
    assert check(registry, panel) > 0


def test_all_shipped_ones_are_in_this_test(repository: Path) -> None:
    text = (repository / "specs" / "library" / "research.yaml").read_text(encoding="utf-8")
    documents = [dict(_pairs(part)) for part in text.split("\n---\n")]
    shipped = {(d["kind"], d["name"]) for d in documents if d.get("kind") in ("factor", "strategy")}
    here = Path(__file__).read_text(encoding="utf-8")
    assert shipped
    assert [name for _, name in sorted(shipped) if f'"{name}"' not in here] == []


def _pairs(part: str) -> list[tuple[str, str]]:
    lines = (line.partition(": ") for line in part.splitlines() if line[:1].isalpha())
    return [(key, value.strip()) for key, _, value in lines]


def test_a_peeking_build_is_caught(tmp_path: Path, panel: Panel) -> None:
    """The same machinery with scores of the next session: the check must fail."""
    plan = compiled(workspace(tmp_path, panel, "momentum_topn"), panel)

    def build(given: Panel) -> PoisonCase:
        prepared = assemble(plan, given)
        ahead = np.minimum(prepared.rows + prepared.first + 1, SESSIONS - 1)
        prepared.scores[:] = given.close[ahead]
        return PoisonCase(
            plan,
            paper_data(prepared),
            prepared.config,
            prepared.rows,
            lambda _data: session_strategy(prepared, Path("strategies")),
        )

    with pytest.raises(CheckFailed):
        check_panel_poison(build, panel, [int(build(panel).rows[1])])


def test_the_panel_keeps_what_was_known(panel: Panel) -> None:
    from quant.native.batch import Phase

    dirty = poison_panel(panel, 70, Phase.CLOSE, seed=1)
    assert np.array_equal(dirty.close[:71], panel.close[:71])
    assert np.array_equal(dirty.factor[:71], panel.factor[:71])
    assert (dirty.close[71:] != panel.close[71:]).mean() > 0.99
