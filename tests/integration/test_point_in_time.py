"""Runs as of an instant, index universes, and which past decisions a restatement would have changed."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pit_case import INDEX, RESTATED, make, restate

from quant.core.market.calendar import calendar
from quant.pipelines.access import PinnedReader
from quant.pipelines.flows.backtest import backtest, compile_plan
from quant.pipelines.flows.replay import replay_run
from quant.pipelines.flows.restate import affected_decisions
from quant.pipelines.flows.universe import show_universe
from quant.pipelines.wiring import Prepared, assemble, prepare
from quant.pipelines.workspace import Workspace
from quant.qcli.main import run as quant
from quant.warehouse.lake import Lake
from quant.warehouse.restate import changed_cells

PERIOD = date(2021, 9, 30)
BEFORE = "as_of=2023-02-01T00:00+08:00"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The workspace with three runs; tests restate copies of it."""
    desk = make(tmp_path_factory.mktemp("desk") / "small")
    backtest(desk, "value")
    backtest(desk, "value", [BEFORE])
    backtest(desk, "momentum", ["n=10"])
    return desk


@pytest.fixture
def desk(finished: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(finished.root, tmp_path / "desk")
    return Workspace.find(tmp_path / "desk")


def prepared(desk: Workspace, spec: str, *overrides: str) -> Prepared:
    plan = compile_plan(desk, spec, overrides)
    return prepare(plan, PinnedReader(Lake(desk.lake), plan.tables, plan.as_of))


def chosen(case: Prepared, lake: Lake, top: int = 10) -> dict[date, set[str]]:
    """The best names of each decision, from the tables alone."""
    known = lake.read("fundamentals").filter(pl.col("item") == "eps")
    bars = lake.read("bars_1d", columns=["instrument_id", "session", "close", "volume"])
    bars = bars.filter(pl.col("volume") > 0)
    codes = dict(lake.read("instruments").select("instrument_id", "code").iter_rows())
    dates = calendar("XSHG")
    found = {}
    for session in (case.sessions[row] for row in case.rows):
        morning = datetime.fromtimestamp(dates.instants(session).preopen / 1e9).astimezone()
        eps = known.filter(pl.col("known_at") <= morning).sort("period_end", "announced")
        eps = eps.unique("instrument_id", keep="last").select("instrument_id", "value")
        before = bars.filter(pl.col("session") < session).sort("session")
        price = before.unique("instrument_id", keep="last").select("instrument_id", "close")
        today = bars.filter(pl.col("session") == session).select("instrument_id")
        ranked = today.join(eps, on="instrument_id").join(price, on="instrument_id")
        score = pl.col("value") / pl.col("close").cast(pl.Float64)
        best = ranked.with_columns(score.alias("score")).sort("score", descending=True).head(top)
        found[session] = {codes[i] for i in best["instrument_id"].to_list()}
    return found


def orders_of(desk: Workspace, run: str) -> dict[tuple[date, str], int]:
    frame = pl.read_parquet(desk.runs / run / "orders.parquet")
    sign = pl.when(pl.col("side") == "buy").then(1).otherwise(-1)
    signed = frame.select("session", "code", (sign * pl.col("quantity")).alias("q"))
    signed = signed.group_by("session", "code").agg(pl.col("q").sum())  # large orders are split
    return {(s, c): q for s, c, q in signed.iter_rows() if q}


def a_name_left_out(lake: Lake, case: Prepared) -> tuple[int, str]:
    held = set().union(*chosen(case, lake).values())
    rows = lake.read("instruments").sort("instrument_id").select("instrument_id", "code").iter_rows()
    days = (date(2021, 11, 30), date(2021, 12, 31), date(2022, 1, 28))
    traded = set.intersection(
        *(
            set(lake.read("bars_1d", start=d, end=d).filter(pl.col("volume") > 0)["instrument_id"])
            for d in days
        )
    )
    return next((i, c) for i, c in rows if c not in held and i in traded)


def test_one_restated_report_lists_exactly_its_rebalances_and_orders(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    case = prepared(desk, "value")
    was = chosen(case, lake)
    name, code = a_name_left_out(lake, case)
    match = (pl.col("instrument_id") == name) & (pl.col("period_end") == PERIOD)
    version = lake.version("fundamentals") or 0
    restate(lake, "fundamentals", match, value=pl.lit(999.0))
    cells = changed_cells(lake, "fundamentals", version, version + 1)
    assert cells.select("instrument_id", "field", "after").rows() == [(name, "value", "999.0")]

    found = {recall.name: recall for recall in affected_decisions(desk, cells)}
    assert set(found) == {"value"}, (
        "momentum reads no reports, the run with a knowledge time knew no restatement"
    )
    recall = found["value"]
    would = chosen(prepared(desk, "value"), lake)
    expected = [day for day in was if was[day] != would[day]]
    assert [d.session for d in recall.decisions] == expected
    assert len(expected) == 3, "from its announcement until that of the next quarter"
    for decision in recall.decisions:
        entered = {t.code for t in decision.targets if not t.before}
        left = {t.code for t in decision.targets if not t.after}
        assert entered == would[decision.session] - was[decision.session] == {code}
        assert left == was[decision.session] - would[decision.session]

    again = backtest(desk, "value")
    first = recall.decisions[0]
    old, new = orders_of(desk, recall.run), orders_of(desk, again.run_id)
    traded = calendar("XSHG").next(first.session)
    differ = {c for s, c in {*old, *new} if s == traded and old.get((s, c), 0) != new.get((s, c), 0)}
    assert {o.code for o in first.orders} == differ
    assert all(o.session == traded for o in first.orders)
    assert {o.code: (o.before, o.after) for o in first.orders} == {
        c: (old.get((traded, c), 0), new.get((traded, c), 0)) for c in differ
    }
    assert any(o.code == code and o.before == 0 and o.after > 0 for o in first.orders)


def test_each_later_decision_is_judged_with_the_book_that_the_run_had(desk: Workspace) -> None:
    """A later decision is weighed against the recorded book, not against a hypothetical one."""
    lake = Lake(desk.lake)
    case = prepared(desk, "value")
    name, code = a_name_left_out(lake, case)
    match = (pl.col("instrument_id") == name) & (pl.col("period_end") == PERIOD)
    restate(lake, "fundamentals", match, value=pl.lit(999.0))
    (recall,) = [r for r in affected_decisions(desk) if r.name == "value"]
    recorded = orders_of(desk, recall.run)
    for decision in recall.decisions:
        traded = calendar("XSHG").next(decision.session)
        was = {(o.session, o.code): o.before for o in decision.orders}
        assert was == {key: recorded.get(key, 0) for key in was}
        assert [o.after > 0 for o in decision.orders if o.code == code] == [True], traded


def test_a_report_that_changes_no_choice_is_counted_but_lists_nothing(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    name, _ = a_name_left_out(lake, prepared(desk, "value"))
    match = (pl.col("instrument_id") == name) & (pl.col("period_end") == PERIOD)
    restate(lake, "fundamentals", match, value=pl.lit(-1.0))
    (recall,) = affected_decisions(desk)
    assert recall.cells == {"fundamentals": 1}
    assert not recall.affected


def test_one_restated_price_lists_rebalances_and_the_fills_at_it(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    fills = pl.read_parquet(sorted(desk.runs.glob("*-momentum-*"))[-1] / "fills.parquet")
    session, code = fills.sort("session").select("session", "code").row(-1)
    ids = dict(lake.read("instruments").select("code", "instrument_id").iter_rows())
    match = (pl.col("instrument_id") == ids[code]) & (pl.col("session") == session)
    before = restate(lake, "bars_1d", match, open=(pl.col("open").cast(pl.Float64) * 1.01).round(2))
    found = {r.name: r for r in affected_decisions(desk)}
    assert set(found) == {"momentum", "value"}
    momentum = found["momentum"]
    assert momentum.decisions == (), "opening prices rank nothing"
    (fill,) = momentum.fills
    assert (fill.session, fill.code) == (session, code)
    assert fill.before == float(before["open"][0])
    assert fill.after == pytest.approx(fill.before * 1.01, abs=0.006)


def test_a_restated_close_changes_the_ranking_it_entered(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    case = prepared(desk, "momentum", "n=10")
    at = int(case.rows[5])
    session = case.sessions[at]
    worst = int(np.nanargmin(np.where(case.eligible[5], case.scores[5], np.nan)))
    name = int(case.panel.instruments[worst])
    match = (pl.col("instrument_id") == name) & (pl.col("session") == session)
    restate(lake, "bars_1d", match, close=pl.col("close").cast(pl.Float64) * 3)
    found = {r.name: r for r in affected_decisions(desk)}
    listed = [d.session for d in found["momentum"].decisions]
    new = prepared(desk, "momentum", "n=10")
    changed = np.flatnonzero((new.scores != case.scores).any(axis=1) & ~np.isnan(case.scores).all(axis=1))
    assert session in listed
    assert set(listed) <= {case.sessions[int(case.rows[i])] for i in changed}


def test_a_python_strategy_is_replayed_over_both(desk: Workspace) -> None:
    (desk.root / "strategies" / "cheap.py").write_text(
        "class Cheap:\n"
        "    def decide(self, view):\n"
        "        eps = view.last('eps')\n"
        "        best = max(range(len(eps)), key=lambda i: eps[i] if eps[i] == eps[i] else -1)\n"
        "        view.target_weight(view.codes[best], 0.05)\n",
        encoding="utf-8",
    )
    (desk.root / "specs" / "cheap.yaml").write_text(
        "apiVersion: quant/v1\nkind: strategy\nname: cheap\ncode: {entry: strategies.cheap:Cheap}\n---\n"
        "apiVersion: quant/v1\nkind: backtest\nname: cheap\nuse: {strategy: cheap}\n"
        "range: [2021-10-08, 2022-03-31]\ncash: 10_000_000\n",
        encoding="utf-8",
    )
    run = backtest(desk, "cheap")
    lake = Lake(desk.lake)
    name, code = a_name_left_out(lake, prepared(desk, "value"))
    match = (pl.col("instrument_id") == name) & (pl.col("period_end") == PERIOD)
    restate(lake, "fundamentals", match, value=pl.lit(999.0))
    (recall,) = affected_decisions(desk, run=run.run_id)
    assert recall.method == "replayed"
    assert recall.decisions[0].orders[-1].code in {o.code for o in recall.decisions[0].orders}
    assert any(o.code == code and o.after > 0 for o in recall.decisions[0].orders)
    announced = date(2021, 11, 9)
    assert recall.decisions[0].session > announced


def test_paper_sessions_are_recalled_too(desk: Workspace) -> None:
    from quant.pipelines.flows.session import SessionRequest, deploy

    deploy(desk, SessionRequest("value_paper"))
    lake = Lake(desk.lake)
    name, _ = a_name_left_out(lake, prepared(desk, "value"))
    match = (pl.col("instrument_id") == name) & (pl.col("period_end") == PERIOD)
    restate(lake, "fundamentals", match, value=pl.lit(999.0))
    papers = [r for r in affected_decisions(desk) if r.mode == "paper"]
    assert [len(r.decisions) for r in papers] == [1]
    assert papers[0].decisions[0].session == date(2022, 1, 28)


def test_a_run_as_of_an_instant_is_the_same_after_a_restatement(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    plain = compile_plan(desk, "value")
    early = compile_plan(desk, "value", [BEFORE])
    name, _ = a_name_left_out(lake, prepared(desk, "value"))
    restate(lake, "fundamentals", pl.col("instrument_id") == name, value=pl.lit(999.0))
    assert compile_plan(desk, "value").fingerprint != plain.fingerprint
    assert compile_plan(desk, "value", [BEFORE]).fingerprint == early.fingerprint
    late = compile_plan(desk, "value", [f"as_of={RESTATED.isoformat()}"])
    assert {t.name: t.content_hash for t in late.tables} == {
        t.name: t.content_hash for t in compile_plan(desk, "value").tables
    }
    again = backtest(desk, "value", [BEFORE])
    assert replay_run(desk, again.run_id).same
    first = next(r for r in sorted(desk.runs.iterdir()) if "as_of" in (r / "receipt.json").read_text()
                 and json.loads((r / "receipt.json").read_text())["as_of"])  # fmt: skip
    receipt = json.loads((first / "receipt.json").read_text())
    assert receipt["state_hash"] == again.state_hash
    assert receipt["as_of"] == "2023-01-31T16:00:00+00:00"
    assert "Only what was known" in receipt["assumptions"][-1]["text_en"]


def test_the_universe_of_an_index_is_the_list_known_each_morning(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    case = prepared(desk, "in_index")
    lists = lake.read("index_weights").sort("session")
    codes = dict(lake.read("instruments").select("instrument_id", "code").iter_rows())
    assert case.members.ndim == 2
    for t in range(0, len(case.panel.sessions), 7):
        day = case.panel.sessions[t]
        published = lists.filter(pl.col("session") < day)
        newest = published.filter(pl.col("session") == published["session"].max())
        expected = {codes[i] for i in newest["instrument_id"].to_list()} & set(case.panel.codes)
        held = {case.panel.codes[s] for s in np.flatnonzero(case.members[t])}
        assert held == expected, day
    run = backtest(desk, "in_index")
    bought = pl.read_parquet(run.folder / "orders.parquet").filter(pl.col("side") == "buy")
    place = {code: s for s, code in enumerate(case.panel.codes)}
    for session, code in bought.select("session", "code").iter_rows():
        decided = case.panel.row(session) - 1
        assert case.members[decided, place[code]], (session, code)


def test_a_delisted_member_is_in_the_universe_while_it_was_listed(desk: Workspace) -> None:
    lake = Lake(desk.lake)
    bars = lake.read("bars_1d", columns=["instrument_id", "session"])
    ends = bars.group_by("instrument_id").agg(pl.col("session").max())
    gone = set(ends.filter(pl.col("session") < date(2022, 11, 1))["instrument_id"].to_list())
    assert gone, "the market has delistings"
    case = prepared(desk, "in_index")
    held = [i for s, i in enumerate(case.panel.instruments.tolist()) if case.universe[:, s].any()]
    assert gone & set(held)


def test_universe_show_honours_the_knowledge_time(
    desk: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    day = date(2022, 3, 1)
    now = show_universe(desk, "index_300", day)
    early = show_universe(desk, "index_300", day, datetime.fromisoformat("2022-03-01T18:00+08:00"))
    assert [m.code for m in now.members] == [m.code for m in early.members]
    code = quant(["universe", "show", "index_300", "--on", "2022-03-01", "--json", "-w", str(desk.root)])
    shown = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [m["code"] for m in shown["members"]] == [m.code for m in now.members]
    assert INDEX not in shown["members"]
    assert quant(["universe", "show", "index_300", "--on", "2022-03-05", "-w", str(desk.root)]) == 2
    assert "--on 2022-03-04" in capsys.readouterr().err


@pytest.mark.parametrize("expr", ["$eps / Ref($raw_close, 1)", "Ref(1 / $pe_ttm, 1) + Ref(Log($mktcap), 1)"])
def test_reports_and_valuations_read_the_past_alone(desk: Workspace, expr: str) -> None:
    from quant.native.batch import Phase
    from quant.trading.strategies.poison import poison_panel

    clean = prepared(desk, "value", f"strategy.expr={expr}")
    assert np.isfinite(clean.scores).any()
    for at in (3, 9, 15):
        row = int(clean.rows[at])
        spoiled = poison_panel(clean.panel, clean.first + row, Phase.CLOSE, seed=at)
        assert not np.array_equal(spoiled.reported["eps"], clean.panel.reported["eps"], equal_nan=True)
        dirty = assemble(clean.plan, spoiled)
        np.testing.assert_array_equal(clean.scores[: at + 1], dirty.scores[: at + 1])
        np.testing.assert_array_equal(clean.eligible[: at + 1], dirty.eligible[: at + 1])
        assert not np.array_equal(clean.scores[at + 1 :], dirty.scores[at + 1 :], equal_nan=True)


def test_run_recall_prints_what_would_differ(desk: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(desk.lake)
    assert quant(["run", "recall", "-w", str(desk.root)]) == 0
    assert "no run or session" in capsys.readouterr().err
    name, code = a_name_left_out(lake, prepared(desk, "value"))
    match = (pl.col("instrument_id") == name) & (pl.col("period_end") == PERIOD)
    restate(lake, "fundamentals", match, value=pl.lit(999.0))
    assert quant(["run", "recall", "-w", str(desk.root)]) == 0
    screen = capsys.readouterr()
    assert code in screen.out
    assert "3 decisions" in screen.err
    assert quant(["run", "recall", "--json", "-w", str(desk.root)]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["summary"]["decisions"] == 3
    assert [len(r["decisions"]) for r in body["runs"]] == [3]


def test_a_python_strategy_sees_yesterday_s_valuation_and_this_morning_s_report(desk: Workspace) -> None:
    (desk.root / "strategies" / "seen.py").write_text(
        "SEEN = []\n"
        "class Seen:\n"
        "    def decide(self, view):\n"
        "        pe, close = view.history('pe_ttm', 2), view.history('raw_close', 2)\n"
        "        same = abs(pe[-1] * 2 - close[-2]) < 1e-9\n"
        "        known = same | (pe[-1] != pe[-1]) | (close[-2] != close[-2])\n"
        "        assert known.all(), view.session\n"
        "        assert view.last('eps').shape == (len(view.codes),)\n",
        encoding="utf-8",
    )
    (desk.root / "specs" / "seen.yaml").write_text(
        "apiVersion: quant/v1\nkind: strategy\nname: seen\n"
        "code: {entry: strategies.seen:Seen, lookback: 3}\n---\n"
        "apiVersion: quant/v1\nkind: backtest\nname: seen\nuse: {strategy: seen}\n"
        "range: [2021-10-08, 2021-12-31]\ncash: 10_000_000\n",
        encoding="utf-8",
    )
    assert backtest(desk, "seen").end == "2021-12-31"


def test_the_python_api_reads_as_of_an_instant(desk: Workspace) -> None:
    from quant.pipelines.desk import Desk

    api, early = Desk(desk), "2022-03-01T16:00+08:00"
    assert api.table("bars_1d", as_of=early)["session"].max() == date(2022, 2, 28)
    counted = api.sql("select count(*) as n from bars_1d", engine="duckdb", as_of=early)["n"][0]
    assert counted == api.table("bars_1d", as_of=early).height
