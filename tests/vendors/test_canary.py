"""The canary: an answer that is known, and what a vendor's change does to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desks import sync_desk
from test_tushare import account, ts_desk  # noqa: F401  a fixture
from tushare_server import TushareServer, tables

from quant.pipelines.flows import canary as flow
from quant.pipelines.flows.canary import CanaryOutcome, canary
from quant.pipelines.workspace import Workspace
from quant.warehouse.sources import canary as listening

NOW = 1_622_000_000_000_000_000  # 2021-05-26


@pytest.fixture
def vendor() -> Iterator[TushareServer]:
    with TushareServer() as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, vendor: TushareServer, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose canary has sung once, in May 2021."""
    monkeypatch.setattr(flow, "utc_now", lambda: NOW)
    made = ts_desk(tmp_path, vendor)
    assert sync_desk(made, "instruments")[1] == []
    first = canary(made, ())
    assert first.exit_code == 0, first.as_dict()
    return made


def verdicts(outcome: CanaryOutcome) -> dict[str, str]:
    return {f"{a.dataset}/{a.endpoint}": a.verdict for a in outcome.answers}


def changed(vendor: TushareServer, endpoint: str, **columns: object) -> None:
    """Serve an endpoint with columns changed; None drops one, a function maps it."""
    names, rows = tables()[endpoint]
    rows = [list(row) for row in rows]
    for name, change in columns.items():
        at = names.index(name)
        if change is None:
            names = [n for n in names if n != name]
            rows = [[v for i, v in enumerate(row) if i != at] for row in rows]
        else:
            assert callable(change)
            rows = [[change(v) if i == at else v for i, v in enumerate(row)] for row in rows]
    vendor.tables[endpoint] = (names, rows)


def test_nothing_new_is_the_same_and_costs_one_call_an_endpoint(
    desk: Workspace, vendor: TushareServer
) -> None:
    before = len(vendor.calls)
    outcome = canary(desk, ("ts",))
    assert outcome.exit_code == 0
    assert set(verdicts(outcome).values()) == {"same"}
    assert {"calendar/trade_cal", "bars_1d/daily", "bars_1d/stk_limit", "fundamentals/income"} <= set(
        verdicts(outcome)
    )
    assert len(vendor.calls) - before == len(outcome.answers)


def test_lost_rows_are_exit_3(desk: Workspace, vendor: TushareServer) -> None:
    names, rows = tables()["daily"]
    vendor.tables["daily"] = (names, rows[::2])
    outcome = canary(desk, ())
    assert outcome.exit_code == 3
    error = next(a.error for a in outcome.answers if a.endpoint == "daily")
    assert error is not None
    assert error.fault.code == "canary.rows"
    assert verdicts(outcome)["adjustment_factors/adj_factor"] == "same"


def test_a_lost_column_is_exit_3(desk: Workspace, vendor: TushareServer) -> None:
    changed(vendor, "daily", amount=None)
    outcome = canary(desk, ())
    assert outcome.exit_code == 3
    assert verdicts(outcome)["bars_1d/daily"] == "changed"


def test_another_unit_is_exit_3(desk: Workspace, vendor: TushareServer) -> None:
    changed(vendor, "daily_basic", total_mv=lambda v: v * 10_000)
    error = next(a.error for a in canary(desk, ()).answers if a.endpoint == "daily_basic")
    assert error is not None
    assert (error.fault.code, error.exit_code) == ("canary.unit", 3)


def test_other_values_in_the_same_shape_are_a_restatement(desk: Workspace, vendor: TushareServer) -> None:
    changed(vendor, "adj_factor", adj_factor=lambda v: v * 1.01)
    outcome = canary(desk, ())
    assert outcome.exit_code == 0
    assert verdicts(outcome)["adjustment_factors/adj_factor"] == "restated"


def test_a_vendor_with_another_calendar_is_exit_3(desk: Workspace, vendor: TushareServer) -> None:
    names, rows = tables()["trade_cal"]
    vendor.tables["trade_cal"] = (names, [[*r[:2], 0 if r[1] == "20210507" else r[2], r[3]] for r in rows])
    error = next(a.error for a in canary(desk, ()).answers if a.dataset == "calendar")
    assert error is not None
    assert (error.fault.code, error.fault.expected) == ("canary.calendar", "2021-05-07")


def test_a_vendor_that_is_down_is_exit_4(
    desk: Workspace, vendor: TushareServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "receive", lambda body: (503, {}, b"down"))
    assert canary(desk, ()).exit_code == 4


def test_the_known_day_stays(desk: Workspace, vendor: TushareServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "utc_now", lambda: NOW + 20 * 86_400_000_000_000)
    days = {a.day for a in canary(desk, ()).answers}
    assert {str(day) for day in days} == {"2021-05-12"}
    assert listening.SETTLED == 10
