"""Overrides, defaults lists, and one graph whose fingerprint is its meaning."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from spec_workspaces import BACKTEST, STRATEGY, load, write

from quant.core.errors import SpecErrors
from quant.specs import Registry, load_workspace, resolve


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    child = "apiVersion: quant/v1\nkind: backtest\nname: child\ndefaults: [run]\ncash: 5_000_000\n"
    return load(tmp_path, strategy=STRATEGY, run=BACKTEST, child=child)


def test_a_run_is_one_graph(registry: Registry) -> None:
    spec = resolve(registry, "backtest", "run")
    assert (spec.strategy.name, spec.universe.name, spec.cost.name, spec.risk.name) == (
        "top",
        "all_listed",
        "cn_stock",
        "default",
    )
    assert list(spec.factors) == ["momentum_20"]
    assert spec.tables["bars_1d"].from_ == ["sim"]
    assert set(spec.sources_text) >= {"specs/run.yaml", "specs/strategy.yaml", "library/research.yaml"}


def test_overrides_change_this_run_only(registry: Registry) -> None:
    spec = resolve(
        registry,
        "backtest",
        "run",
        [
            "n=50",
            "cash=2000万",
            "cost.commission.rate=0.00030",
            "range.to=2021-06-30",
            "universe=liquid",
            "factor.params.n=10",
        ],
    )
    assert spec.strategy.construct_ is not None
    assert spec.strategy.construct_.top == 50
    assert spec.backtest.cash == 20_000_000
    assert spec.cost.commission.rate == Decimal("0.0003")
    assert str(spec.backtest.range.to) == "2021-06-30"
    assert spec.universe.name == "liquid"
    assert spec.factors["momentum_20"].params == {"n": 10}
    assert str(spec.where("strategy", "construct", "top")) == "<override n=50>"
    again = resolve(registry, "backtest", "run")
    assert again.strategy.construct_ is not None
    assert again.strategy.construct_.top == 30


def test_an_override_that_changes_nothing_keeps_the_fingerprint(registry: Registry) -> None:
    plain = resolve(registry, "backtest", "run").fingerprint
    same = [
        "n=30",
        "cash=10000000",
        "strategy.construct.cash_buffer=0.020",
        "fill.at=open",
        "risk.limits.gross=1.0x",
    ]
    assert resolve(registry, "backtest", "run", same).fingerprint == plain
    assert resolve(registry, "backtest", "run", ["n=31"]).fingerprint != plain


def test_a_defaults_list_is_composed(registry: Registry) -> None:
    child = resolve(registry, "backtest", "child")
    assert child.backtest.cash == 5_000_000
    assert child.strategy.name == "top"
    assert {"specs/child.yaml", "specs/run.yaml"} <= set(child.sources_text)
    assert child.where("backtest", "range", "from").file == "specs/run.yaml"
    assert child.where("backtest", "cash").file == "specs/child.yaml"
    assert resolve(registry, "backtest", "child", ["n=40"]).strategy.construct_.top == 40  # type: ignore[union-attr]


def test_self_may_stand_before_what_it_starts_from(tmp_path: Path) -> None:
    child = "apiVersion: quant/v1\nkind: backtest\nname: child\ndefaults: [_self_, run]\ncash: 5_000_000\n"
    registry = load(tmp_path, strategy=STRATEGY, run=BACKTEST, child=child)
    assert resolve(registry, "backtest", "child").backtest.cash == 10_000_000


def test_hydra_is_left_as_it_was_found(registry: Registry) -> None:
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    store = ConfigStore.instance()
    store.store(group="strategy", name="top", node={"mine": 1})
    before, hydra = dict(store.repo), GlobalHydra.instance().hydra
    try:
        resolve(registry, "backtest", "run", ["n=50"])
        with pytest.raises(SpecErrors):
            resolve(registry, "backtest", "run", ["n=many"])
        assert dict(store.repo) == before
        assert GlobalHydra.instance().hydra is hydra
    finally:
        del store.repo["strategy"]


def test_threads_do_not_mix_their_overrides(registry: Registry) -> None:
    def top(n: int) -> int | None:
        how = resolve(registry, "backtest", "run", [f"n={n}"]).strategy.construct_
        return how.top if how else None

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(top, range(20, 32))) == list(range(20, 32))


@pytest.mark.parametrize(
    "text",
    [
        BACKTEST + "description: words\n",
        "# a comment\n" + BACKTEST.replace("cash: 10_000_000", "cash: 1000万"),
        BACKTEST.replace("params: {n: strategy.construct.top}\n", ""),
        BACKTEST + "fill: {at: open, locked: by_side}\nseed: 0\nbenchmark: equal_weighted\n",
        BACKTEST.replace(
            "use: {strategy: top, universe: all_listed}",
            "use: {universe: all_listed, strategy: top, risk: default}",
        ),
        BACKTEST.replace("name: run", "name: other"),
    ],
)
def test_words_order_and_stated_defaults_do_not_change_the_meaning(tmp_path: Path, text: str) -> None:
    first = load(tmp_path / "a", strategy=STRATEGY, run=BACKTEST)
    second = load(tmp_path / "b", strategy=STRATEGY, run=text)
    name = second.names("backtest")[0]
    assert resolve(second, "backtest", name).fingerprint == resolve(first, "backtest", "run").fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("top: 30", "top: 31"),
        ("momentum_20", "reversal_5"),
        ("on: last", "on: first"),
        ("cash_buffer: 2%", "cash_buffer: 3%"),
    ],
)
def test_a_change_of_meaning_changes_the_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    first = load(tmp_path / "a", strategy=STRATEGY, run=BACKTEST)
    second = load(tmp_path / "b", strategy=STRATEGY.replace(old, new), run=BACKTEST)
    assert resolve(second, "backtest", "run").fingerprint != resolve(first, "backtest", "run").fingerprint


def test_renaming_a_factor_keeps_the_fingerprint(tmp_path: Path) -> None:
    factor = "apiVersion: quant/v1\nkind: factor\nname: NAME\nexpr: |\n  # a note\n  -Std($close,  5)\n"
    prints = set()
    for name in ("one", "two"):
        registry = load(
            tmp_path / name,
            factor=factor.replace("NAME", name),
            strategy=STRATEGY.replace("momentum_20", name),
            run=BACKTEST,
        )
        prints.add(resolve(registry, "backtest", "run").fingerprint)
    assert len(prints) == 1


def test_risk_limits_the_strategy_cannot_keep_are_refused(registry: Registry) -> None:
    with pytest.raises(SpecErrors) as caught:
        resolve(registry, "backtest", "run", ["n=5"])
    (error,) = caught.value.errors
    assert error.fault.code == "spec.contradiction"
    assert "19.6%" in error.fault.message
    assert "at least 10 names" in (error.fault.hint or "")


def test_a_profile_chooses_the_sources(tmp_path: Path) -> None:
    project = (
        'apiVersion = "quant/v1"\nkind = "project"\nname = "p"\n[profiles.demo]\nsources = ["sim"]\n'
        '[profiles.real]\nsources = ["tushare_files"]\nroots = {tushare_files = "/data/vendor"}\n'
    )
    files = {"quant.toml": project, "strategy.yaml": STRATEGY, "run.yaml": BACKTEST}
    registry = load_workspace(write(tmp_path, dict(files)))
    assert list(resolve(registry, "backtest", "run").sources) == ["sim"]
    real = resolve(registry, "backtest", "run", profile="real")
    assert list(real.sources) == ["tushare_files"]
    assert getattr(real.sources["tushare_files"], "root") == "/data/vendor"  # noqa: B009
    with pytest.raises(SpecErrors, match="no profile"):
        resolve(registry, "backtest", "run", profile="other")


def test_a_python_strategy_counts_with_its_source(tmp_path: Path) -> None:
    strategy = (
        "apiVersion: quant/v1\nkind: strategy\nname: top\n"
        "code: {entry: strategies.ma:Ma, params: {fast: 5, share: 0.5}, decide: before_close}\n"
    )
    run = BACKTEST.replace("params: {n: strategy.construct.top}", "fill: {at: close}")
    files = {"strategy.yaml": strategy, "run.yaml": run}
    prints = []
    for folder, text in (("a", "class Ma: ..."), ("b", "class Ma: ... # changed")):
        registry = load_workspace(write(tmp_path / folder, {**files, "strategies/ma.py": text}))
        spec = resolve(registry, "backtest", "run")
        assert spec.code is not None
        assert spec.code.file == "strategies/ma.py"
        prints.append(spec.fingerprint)
    assert prints[0] != prints[1]
