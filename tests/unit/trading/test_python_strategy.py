"""A user's strategy class: loading, its state, and its errors with file and line but no traceback."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from session_fakes import CODES, FakeKernel, fake_data

from quant.native.batch import Phase
from quant.trading.strategies import PythonStrategy, StrategyError, StrategyLoadError, load_strategy
from quant.trading.view import View

DATA = fake_data()


def view() -> View:
    return View(DATA, FakeKernel(), DATA.market.instant(2, Phase.CLOSE), 2, Phase.CLOSE)


def write(root: Path, name: str, text: str) -> None:
    path = root / "strategies" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))


def test_a_class_is_loaded_with_its_params(tmp_path: Path) -> None:
    write(
        tmp_path,
        "ma.py",
        """
        class Fixed:
            def __init__(self, code, weight=0.5):
                self.code, self.weight = code, weight

            def decide(self, view):
                view.target_weight(self.code, self.weight)
    """,
    )
    strategy = load_strategy(tmp_path, "strategies.ma:Fixed", {"code": CODES[1], "weight": 0.25})
    assert strategy.decide(view()).columns["weight"].tolist() == [250_000_000]
    assert strategy.snapshot() == b'{"code":"600519.SH","weight":0.25}'
    assert not strategy.reacts


def test_files_import_their_neighbours_and_leave_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path, "signals.py", "WEIGHT = 0.125\n")
    write(
        tmp_path,
        "deep/er.py",
        """
        from ..signals import WEIGHT
        class Deep:
            def decide(self, view):
                view.target_weight(view.codes[0], WEIGHT)
    """,
    )
    path, modules = list(sys.path), set(sys.modules)
    strategy = load_strategy(tmp_path, "strategies.deep.er:Deep")
    assert strategy.decide(view()).columns["weight"].tolist() == [125_000_000]
    assert sys.path == path
    assert {m for m in set(sys.modules) - modules if "strateg" in m} == set()
    assert not list(tmp_path.rglob("__pycache__"))


def test_two_workspaces_with_the_same_names_stay_apart(tmp_path: Path) -> None:
    for name, weight in (("a", 0.1), ("b", 0.2)):
        write(
            tmp_path / name,
            "same.py",
            f"""
            class Same:
                def decide(self, view):
                    view.target_weight(view.codes[0], {weight})
        """,
        )
    first = load_strategy(tmp_path / "a", "strategies.same:Same")
    second = load_strategy(tmp_path / "b", "strategies.same:Same")
    assert first.decide(view()).columns["weight"].tolist() == [100_000_000]
    assert second.decide(view()).columns["weight"].tolist() == [200_000_000]


def test_the_fingerprint_covers_every_loaded_file_and_not_its_place(tmp_path: Path) -> None:
    for root in ("a", "b", "c"):
        write(tmp_path / root, "signals.py", f"WEIGHT = {1 if root != 'c' else 2}\n")
        write(
            tmp_path / root,
            "s.py",
            "from .signals import WEIGHT\nclass S:\n    def decide(self, view): ...\n",
        )
        write(tmp_path / root, "unused.py", f"X = '{root}'\n")
    prints = [load_strategy(tmp_path / root, "strategies.s:S").fingerprint for root in ("a", "b", "c")]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("ma:Fixed", "strategy.entry"),
        ("strategies.ma", "strategy.entry"),
        ("strategies.../../etc:Fixed", "strategy.entry"),
        ("strategies.os;import:X", "strategy.entry"),
        ("os:system", "strategy.entry"),
        ("strategies.none:Fixed", "strategy.missing"),
        ("strategies.ma:Nothing", "strategy.class"),
        ("strategies.ma:helper", "strategy.class"),
        ("strategies.ma:Empty", "strategy.class"),
        ("strategies.broken:X", "strategy.import"),
        ("strategies.wrong:X", "strategy.import"),
        ("strategies.leaves:X", "strategy.import"),
        ("strategies.ma:Picky", "strategy.params"),
        ("strategies.ma:Raises", "strategy.params"),
    ],
)
def test_what_cannot_be_loaded_is_a_located_error(tmp_path: Path, entry: str, code: str) -> None:
    write(
        tmp_path,
        "ma.py",
        """
        def helper(): ...
        class Empty: ...
        class Picky:
            def __init__(self, window): ...
            def decide(self, view): ...
        class Raises:
            def __init__(self):
                raise ValueError("not today")
            def decide(self, view): ...
    """,
    )
    write(tmp_path, "broken.py", "class X:\n    def decide(self, view)\n")
    write(tmp_path, "wrong.py", "x = 1\nimport no_such_module_anywhere\n")
    write(tmp_path, "leaves.py", "import sys\nsys.exit(3)\n")
    with pytest.raises(StrategyLoadError) as caught:
        load_strategy(tmp_path, entry)
    fault = caught.value.fault
    assert (fault.code, caught.value.exit_code) == (code, 2)
    where = {"strategies.broken:X": "strategies/broken.py:2", "strategies.wrong:X": "strategies/wrong.py:2",
             "strategies.leaves:X": "strategies/leaves.py:2", "strategies.ma:Raises": "strategies/ma.py:9",
             "strategies.ma:Picky": "strategies/ma.py:5"}.get(entry)  # fmt: skip
    assert where is None or str(fault.where).startswith(where)


def test_a_symbolic_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "ok.py", "")
    (tmp_path / "outside.py").write_text("class X:\n    def decide(self, view): ...\n")
    (tmp_path / "strategies" / "link.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(StrategyLoadError) as caught:
        load_strategy(tmp_path, "strategies.link:X")
    assert caught.value.fault.code == "strategy.missing"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ("1 / 0", "ZeroDivisionError", "strategy.failed"),
        ("view.history('clsoe', 3)", "no field 'clsoe'", "view.field"),
        ("view.order('600519.SH', 'buy', -1)", "whole number", "intent.quantity"),
        ("raise SystemExit(0)", "SystemExit", "strategy.failed"),
        ("self.helper()", "KeyError", "strategy.failed"),
    ],
)
def test_a_failing_decision_names_its_line(tmp_path: Path, body: str, message: str, code: str) -> None:
    head = "class Bad:\n    def decide(self, view):\n        x = 1\n"
    write(tmp_path, "bad.py", f"{head}        {body}\n    def helper(self):\n        {{}}['a']\n")
    strategy = load_strategy(tmp_path, "strategies.bad:Bad")
    with pytest.raises(StrategyError) as caught:
        strategy.decide(view())
    fault = caught.value.fault
    assert (fault.code, caught.value.exit_code) == (code, 1)
    assert str(fault.where) == f"strategies/bad.py:{6 if 'helper' in body else 4}"
    assert message in fault.message
    assert "Bad.decide" in fault.message
    assert "\n" not in fault.message


def test_what_a_strategy_prints_stays_off_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        tmp_path, "loud.py", "print('loading')\nclass Loud:\n    def decide(self, view): print('deciding')\n"
    )
    load_strategy(tmp_path, "strategies.loud:Loud").decide(view())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.split() == ["loading", "deciding"]


class Remembers:
    def __init__(self) -> None:
        self.last: dict[str, Any] = {"prices": [1.5, None], "name": "名"}
        self._cache = object()

    def decide(self, view: View) -> None: ...


def test_attributes_are_state_but_for_underscored_ones() -> None:
    one, two = PythonStrategy(Remembers()), PythonStrategy(Remembers())
    two._user.last = {}
    two.restore(one.snapshot())
    assert two._user.last == {"prices": [1.5, None], "name": "名"}
    assert two.snapshot() == one.snapshot()


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        (1, 2),
        {1: "a"},
        float("nan"),
        object(),
        [(1,)],
        b"x",
        {"a": {2: 1}},
        Counter("a"),
        np.float64(1),
    ],
)
def test_state_that_json_would_change_is_refused_by_name(value: Any) -> None:
    strategy = PythonStrategy(Remembers())
    strategy._user.memory = value
    with pytest.raises(StrategyError) as caught:
        strategy.snapshot()
    assert caught.value.fault.code == "strategy.state"
    assert "'memory'" in caught.value.fault.message
    assert "_memory" in (caught.value.fault.hint or "")


class Own:
    def __init__(self) -> None:
        self.seen: set[str] = {"b", "a"}

    def decide(self, view: View) -> None: ...

    def snapshot(self) -> dict[str, Any]:
        return {"seen": sorted(self.seen)}

    def restore(self, state: dict[str, Any]) -> None:
        self.seen = set(state["seen"])


def test_a_class_may_bring_its_own_snapshot_and_restore() -> None:
    one, two = PythonStrategy(Own()), PythonStrategy(Own())
    one._user.seen = {"c"}
    two.restore(one.snapshot())
    assert two._user.seen == {"c"}


class Half:
    def decide(self, view: View) -> None: ...

    def snapshot(self) -> dict[str, Any]:
        return {}


def test_a_snapshot_without_a_restore_is_refused() -> None:
    with pytest.raises(StrategyError) as caught:
        PythonStrategy(Half())
    assert caught.value.fault.code == "strategy.state"
