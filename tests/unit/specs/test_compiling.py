"""A resolved spec becomes a plan: pure data, pinned tables, no look-ahead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from spec_workspaces import BACKTEST, STRATEGY, FullCatalog, load, write

from quant.core.errors import SpecError, SpecErrors, StateConflict
from quant.specs import load_workspace, resolve
from quant.specs.compile import BacktestPlan, Catalog, compile_backtest, compile_session, describe_assumption
from quant.specs.compile.assumptions import codes
from quant.specs.explain import Node, explain

HASHES = {"rulebook_hash": "rules", "kernel_hash": "kernel"}


def plan(
    root: Path, catalog: Catalog | None = None, *overrides: str, strategy: str = STRATEGY, run: str = BACKTEST
) -> BacktestPlan:
    spec = resolve(load(root, strategy=strategy, run=run), "backtest", "run", overrides)
    return compile_backtest(spec, catalog or FullCatalog(), **HASHES)


def test_a_plan_says_everything_a_run_does(tmp_path: Path) -> None:
    found = plan(tmp_path)
    assert (found.mode, found.start, found.end, found.decide) == (
        "backtest",
        "2021-01-04",
        "2021-12-31",
        "after_close",
    )
    assert found.signal is not None
    assert found.signal.lookback == found.lookback == 20
    assert found.universe.members == "all"
    assert found.universe.where is not None
    assert found.construct is not None
    assert (found.construct.method, found.construct.top, found.construct.cash_buffer) == ("equal", 30, "0.02")
    assert (found.cost.commission_rate, found.cost.commission_min, found.cost.stamp_rate) == (
        "0.00025",
        "5",
        None,
    )
    assert (found.risk.single_name, found.risk.gross, found.risk.max_drawdown) == ("0.1", "1", "0.5")
    assert found.initial_cash == "10000000"
    assert [t.name for t in found.tables] == [
        "instruments",
        "instrument_attributes",
        "bars_1d",
        "adjustment_factors",
        "corporate_actions",
    ]


def test_its_json_is_exact(tmp_path: Path) -> None:
    found = plan(tmp_path, None, "universe=main_boards")
    again = BacktestPlan.from_json(found.to_json())
    assert again == found
    assert again.fingerprint == found.fingerprint
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"format": 1}', '{"format": "x", "name": 1}', "\x00"]
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="not a plan"):
        BacktestPlan.from_json(text)


def test_a_newer_plan_is_a_state_conflict(tmp_path: Path) -> None:
    text = plan(tmp_path).to_json().replace('"format": 1', '"format": 2')
    with pytest.raises(StateConflict, match="newer"):
        BacktestPlan.from_json(text)


def test_local_table_versions_do_not_count(tmp_path: Path) -> None:
    assert (
        plan(tmp_path, FullCatalog(version=3)).fingerprint
        == plan(tmp_path, FullCatalog(version=9)).fingerprint
    )
    other = FullCatalog()
    other.table = lambda name, as_of=None: FullCatalog().table(name + "x", as_of)  # type: ignore[method-assign]
    assert plan(tmp_path).fingerprint != plan(tmp_path, other).fingerprint


def test_missing_data_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(SpecErrors) as caught:
        plan(tmp_path, FullCatalog(missing=("bars_1d",)))
    (error,) = caught.value.errors
    assert error.fault.code == "data.missing"
    assert error.fault.hint == "quant data sync bars_1d --start 2020-12-04 --end 2021-12-31"
    assert str(error.fault.where) == "specs/run.yaml:5:8"


def test_everything_missing_is_one_short_command_for_the_profile_in_use(tmp_path: Path) -> None:
    project = 'apiVersion = "quant/v1"\nkind = "project"\nname = "p"\n'
    project += '[profiles.demo]\nsources = ["sim"]\n[profiles.real]\nsources = ["sim_b"]\n'
    registry = load(write(tmp_path, {"quant.toml": project}), strategy=STRATEGY, run=BACKTEST)
    everything = (
        "instruments",
        "instrument_attributes",
        "bars_1d",
        "adjustment_factors",
        "corporate_actions",
    )
    spec = resolve(registry, "backtest", "run", profile="real")
    with pytest.raises(SpecErrors) as caught:
        compile_backtest(spec, FullCatalog(missing=everything), **HASHES)
    hint = caught.value.errors[0].fault.hint
    assert hint == "quant data sync --start 2020-12-04 --end 2021-12-31 --profile real"


def test_the_lookback_must_be_covered_too(tmp_path: Path) -> None:
    with pytest.raises(SpecErrors) as caught:
        plan(tmp_path, FullCatalog(start=date(2020, 12, 7)))
    assert "--start 2020-12-04" in (caught.value.errors[0].fault.hint or "")
    assert plan(tmp_path, FullCatalog(start=date(2020, 12, 4))).lookback == 20


def test_tables_no_source_offers_are_assumed_away(tmp_path: Path) -> None:
    project = (
        'apiVersion = "quant/v1"\nkind = "project"\nname = "p"\n[profiles.demo]\n'
        'sources = ["tushare_files"]\n'
    )
    write(tmp_path, {"quant.toml": project})
    found = plan(
        tmp_path,
        FullCatalog(
            missing=("instrument_attributes",),
            facts={
                "events": "inferred",
                "limits": "computed",
                "delistings": "absent",
                "st_history": "absent",
            },
        ),
    )
    assert "instrument_attributes" not in [t.name for t in found.tables]
    told = {"events.inferred", "st_history.absent", "limits.derived"}
    told |= {"delistings.absent", "delisted.last_price"}
    assert told <= set(found.assumptions)


def test_every_assumption_has_words_in_both_languages() -> None:
    for code in codes():
        assert describe_assumption(code) != code
        assert describe_assumption(code, "zh") not in (code, describe_assumption(code))


def test_adjusted_prices_need_no_events(tmp_path: Path) -> None:
    found = plan(tmp_path, None, "prices=adjusted")
    assert "corporate_actions" not in [t.name for t in found.tables]
    assert "events.ignored" in found.assumptions


def test_a_decision_before_the_close_may_not_read_it(tmp_path: Path) -> None:
    early = STRATEGY.replace("on: last", "on: last, decide: before_close")
    with pytest.raises(SpecErrors) as caught:
        plan(tmp_path, None, "fill.at=close", strategy=early)
    assert caught.value.errors[0].fault.code == "expr.lookahead"
    formula = early.replace("signal: momentum_20", 'expr: "Ref($close, 1) / Ref($close, 21) - 1"')
    found = plan(tmp_path, None, "fill.at=close", strategy=formula)
    assert (found.decide, found.lookback) == ("before_close", 21)
    assert "decide.before_close" in found.assumptions


@pytest.mark.parametrize("at", ["open", "vwap"])
def test_a_fill_before_the_decision_is_refused(tmp_path: Path, at: str) -> None:
    early = STRATEGY.replace("on: last", "on: last, decide: before_close")
    formula = early.replace("signal: momentum_20", 'expr: "Ref($close, 1)"')
    with pytest.raises(SpecErrors) as caught:
        plan(tmp_path, None, f"fill.at={at}", strategy=formula)
    assert [e.fault.code for e in caught.value.errors] == ["spec.lookahead"]


def test_a_python_strategy_is_an_entry_with_its_digest(tmp_path: Path) -> None:
    strategy = (
        "apiVersion: quant/v1\nkind: strategy\nname: top\ncode: {entry: strategies.ma:Ma, "
        "params: {fast: 5, share: 0.5, names: [a, 1.25]}, decide: before_close, lookback: 60}\n"
    )
    run = BACKTEST.replace("params: {n: strategy.construct.top}", "fill: {at: close}")
    write(tmp_path, {"strategies/ma.py": "class Ma: ..."})
    found = plan(tmp_path, strategy=strategy, run=run)
    assert found.code is not None
    assert found.code.params == {"fast": 5, "share": 0.5, "names": ["a", 1.25]}
    assert len(found.code.source_hash) == 64
    assert (found.signal, found.construct, found.lookback, found.decide) == (None, None, 60, "before_close")
    assert BacktestPlan.from_json(found.to_json()) == found


def test_members_and_forbidden_codes_are_canonical(tmp_path: Path) -> None:
    universe = (
        "apiVersion: quant/v1\nkind: universe\nname: all_listed\nmembers: [sh.600519, 000001.XSHE, 300750]\n"
    )
    risk = "apiVersion: quant/v1\nkind: risk\nname: default\nforbidden: [SZ000002]\n"
    registry = load(tmp_path, strategy=STRATEGY, run=BACKTEST, universe=universe, risk=risk)
    found = compile_backtest(resolve(registry, "backtest", "run"), FullCatalog(), **HASHES)
    assert found.universe.members == ("000001.SZ", "300750.SZ", "600519.SH")
    assert found.risk.forbidden == ("000002.SZ",)


def test_a_knowledge_time_is_part_of_the_plan(tmp_path: Path) -> None:
    spec = resolve(load(tmp_path, strategy=STRATEGY, run=BACKTEST), "backtest", "run")
    moment = datetime(2022, 1, 5, tzinfo=UTC)
    found = compile_backtest(spec, FullCatalog(), as_of=moment, **HASHES)
    assert found.as_of == "2022-01-05T00:00:00+00:00"
    assert found.assumptions[-1] == "knowledge.as_of"
    assert found.fingerprint != compile_backtest(spec, FullCatalog(), **HASHES).fingerprint
    stated = load(tmp_path / "b", strategy=STRATEGY, run=BACKTEST + "as_of: 2022-01-05T08:00+08:00\n")
    written = resolve(stated, "backtest", "run")
    assert compile_backtest(written, FullCatalog(), **HASHES).as_of == found.as_of
    assert written.fingerprint != spec.fingerprint
    overridden = resolve(stated, "backtest", "run", ["as_of=2023-01-05T08:00+08:00"])
    assert compile_backtest(overridden, FullCatalog(), **HASHES).as_of == "2023-01-05T00:00:00+00:00"


def test_a_run_cannot_go_beyond_what_its_knowledge_time_knows(tmp_path: Path) -> None:
    run = BACKTEST + "as_of: 2021-12-31T14:59+08:00\n"
    spec = resolve(load(tmp_path, strategy=STRATEGY, run=run), "backtest", "run")
    with pytest.raises(SpecErrors, match="not over at its knowledge time") as caught:
        compile_backtest(spec, FullCatalog(), **HASHES)
    assert str(caught.value.errors[0].fault.where) == "specs/run.yaml:8:8"


@pytest.mark.parametrize("text", ["2021-12-31", "2021-12-31T15:00", "soon", "20211231"])
def test_a_knowledge_time_needs_hour_and_offset(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecErrors, match="not an instant"):
        load(tmp_path, strategy=STRATEGY, run=BACKTEST + f"as_of: {text}\n")


INDEX = "apiVersion: quant/v1\nkind: universe\nname: all_listed\nmembers: "


@pytest.mark.parametrize("written", ['index("000300.SH")', "index(sh.000300)", "{index: 000300.XSHG}"])
def test_an_index_as_universe_pins_its_members(tmp_path: Path, written: str) -> None:
    registry = load(tmp_path, strategy=STRATEGY, run=BACKTEST, universe=INDEX + written + "\n")
    found = compile_backtest(resolve(registry, "backtest", "run"), FullCatalog(), **HASHES)
    assert found.universe.members == {"index": ("000300.SH",)}
    assert [t.name for t in found.tables][-2:] == ["index_members", "index_weights"]
    assert BacktestPlan.from_json(found.to_json()) == found


def test_an_index_without_lists_names_the_table_to_sync(tmp_path: Path) -> None:
    registry = load(tmp_path, strategy=STRATEGY, run=BACKTEST, universe=INDEX + 'index("000300.SH")\n')
    with pytest.raises(SpecErrors, match="index_members") as caught:
        compile_backtest(
            resolve(registry, "backtest", "run"),
            FullCatalog(missing=("index_members", "index_weights")),
            **HASHES,
        )
    assert "quant data sync index_members" in (caught.value.errors[0].fault.hint or "")


def test_what_expressions_say_about_companies_is_pinned(tmp_path: Path) -> None:
    strategy = STRATEGY.replace("signal: momentum_20", 'expr: "$eps / $raw_close + Ref(1 / $pe_ttm, 1)"')
    found = plan(tmp_path, strategy=strategy.replace("$raw_close", "Ref($raw_close, 1)"))
    assert [t.name for t in found.tables][-2:] == ["daily_basics", "fundamentals"]
    with pytest.raises(SpecErrors, match="daily_basics") as caught:
        plan(tmp_path / "b", FullCatalog(missing=("daily_basics",)), strategy=strategy)
    assert "quant data sync daily_basics" in (caught.value.errors[0].fault.hint or "")


@pytest.mark.parametrize("name", ["pe_ttm", "mktcap", "turnover", "total_cap", "pb"])
def test_valuations_of_a_session_are_not_known_when_it_closes(tmp_path: Path, name: str) -> None:
    strategy = STRATEGY.replace("signal: momentum_20", f'expr: "-${name}"')
    with pytest.raises(SpecErrors, match="known after the close") as caught:
        plan(tmp_path, strategy=strategy)
    assert f"Ref(${name}, 1)" in (caught.value.errors[0].fault.hint or "")


def test_unknown_items_are_refused_with_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(SpecErrors, match="unknown field") as caught:
        plan(tmp_path, strategy=STRATEGY.replace("signal: momentum_20", 'expr: "$net_proft"'))
    assert caught.value.errors[0].fault.hint == "did you mean $net_profit?"


def test_a_deployment_is_a_paper_session(repository: Path) -> None:
    spec = resolve(load_workspace(repository), "deployment", "momentum_paper", ["n=40"])
    found = compile_session(spec, FullCatalog(), start=date(2025, 11, 3), **HASHES)
    assert (found.mode, found.start, found.end) == ("paper", "2025-11-03", "2025-12-31")
    assert found.construct is not None
    assert found.construct.top == 40
    with pytest.raises(SpecErrors, match="ends before it starts"):
        compile_session(spec, FullCatalog(), start=date(2026, 1, 5), **HASHES)


def lines(node: Node, depth: int = 0) -> list[str]:
    return ["  " * depth + node.label, *(line for child in node.children for line in lines(child, depth + 1))]


def test_explain_shows_program_tables_costs_risk_and_assumptions(tmp_path: Path) -> None:
    text = "\n".join(lines(explain(plan(tmp_path))))
    for part in (
        "backtest run",
        "20 sessions before the start",
        "bars_1d  version 3",
        "%0 = load(close)",
        "→ result",
        "the best 30 alike",
        "commission 0.025%",
        "as the dated rulebook says",
        "one name at most 10%",
        "last session of each month",
        "dividend_tax.cash",
        "at the next session's open",
    ):
        assert part in text, part
