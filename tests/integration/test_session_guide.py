"""The strategies that the guide and the workspace template show work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from session_case import Plan, case_config, case_data

from quant.trading import MarketData, load_strategy, run_replay
from quant.trading.strategies.poison import PoisonCase, check_poison

DATA = case_data(sessions=150, instruments=12, seed=6)


def printed(guide: Path) -> dict[str, str]:
    """Files named in the first line of the guide's Python blocks."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", guide.read_text(encoding="utf-8"), flags=re.S)
    return dict(blocks)


@pytest.fixture
def root(tmp_path: Path, repository: Path) -> Path:
    files = printed(repository / "docs" / "strategies.md")
    template = repository / "specs" / "templates" / "ashare" / "strategies" / "ma.py"
    files["strategies/ma.py"] = template.read_text(encoding="utf-8")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "params"),
    [
        ("strategies.averages:TwoAverages", {"fast": 5, "slow": 20, "names": 4}),
        ("strategies.ma:MovingAverages", {"fast": 5, "slow": 20, "names": 4}),
    ],
)
def test_a_printed_strategy_trades_and_sees_only_the_past(
    root: Path, entry: str, params: dict[str, int]
) -> None:
    def make(_data: MarketData) -> object:
        return load_strategy(root, entry, params)

    config = case_config(DATA.market.T)
    rows = np.arange(DATA.market.T, dtype="i4")
    result = run_replay(Plan(), DATA, config, make(DATA), rows=rows)  # type: ignore[arg-type]
    months = {day.month for day in DATA.sessions()}
    assert len(set(result.kernel.fills()["row"].tolist())) >= len(months) - 2
    assert check_poison(PoisonCase(Plan(), DATA, config, rows, make), [30, 75, 149], seeds=[1]) > 0  # type: ignore[arg-type]
