"""Seeded vendor views: every planted disagreement is found and named, and nothing else is reported."""

from __future__ import annotations

import os
from datetime import date

import polars as pl
import pytest

from quant.warehouse.audit.compare import AuditReport, Claims, Instruments, Relation, Request, compare
from quant.warehouse.audit.compare.records import compare_records
from quant.warehouse.audit.compare.relation import DEFAULT_TOLERANCES
from quant.warehouse.contracts.tables import contract
from quant.warehouse.sources.simulated import Planted, SimulatedParams, SimulatedSource, planted
from quant.warehouse.sources.simulated.bar_faults import BARS
from quant.warehouse.sources.simulated.disagreements import BAR_SHARES, EVENT_SHARES
from quant.warehouse.sources.simulated.planting import DAYS, EVENTS, SERIES

START, END = date(2019, 1, 1), date(2020, 9, 30)
TABLES = ("bars_1d", "adjustment_factors", "corporate_actions")
SEEDS = range(1, 61) if os.environ.get("QUANT_SOAK") == "1" else range(1, 11)


def rows(dataset: str, view: str, params: SimulatedParams) -> pl.DataFrame:
    source = SimulatedSource(
        SimulatedParams(
            seed=params.seed, instruments=params.instruments, view=view, disagreements=params.disagreements
        )
    )
    return pl.concat([source.parse(payload) for payload in source.fetch(dataset, START, END)])


def audit(dataset: str, params: SimulatedParams) -> AuditReport:
    a, b = (
        Relation(view, rows(dataset, view, params), Claims("none", units=True)) for view in ("a", params.view)
    )
    if contract(dataset).key == ("instrument_id", "session"):
        return compare(a, b, Request(dataset))
    keys = Instruments.of(pl.concat([a.frame["code"], b.frame["code"]]))
    return compare_records(a, b, contract(dataset), keys, Request(dataset))


def disagreements(report: AuditReport) -> pl.DataFrame:
    return report.findings.filter(pl.col("kind") != "rounding").with_row_index("row")


def of(fault: Planted, found: pl.DataFrame) -> list[int]:
    """The findings of a planted fault: its class, its instrument or market, its day."""
    last = pl.max_horizontal("session", "to_session")
    inside = (pl.col("session") <= fault.session) & (last >= fault.session)
    begun = (pl.col("cells") > 50) & (last > fault.session)  # a series shows its fault from its first step on
    hit = (pl.col("cause") == fault.kind) & (pl.col("code").is_null() | (pl.col("code") == fault.code))
    return found.filter(hit & (inside | begun))["row"].to_list()


def tolerated(fault: Planted) -> bool:
    """An amount that was rounded by no more than the declared tolerance is no disagreement."""
    return (
        fault.kind == "rounded_amount"
        and abs((fault.shown or 0) - fault.truth) <= DEFAULT_TOLERANCES["amount"].abs
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("view", "intensity"), [("b", 5.0), ("c", 5.0)])
def test_every_planted_disagreement_is_found_and_named_and_nothing_else(
    seed: int, view: str, intensity: float
) -> None:
    params = SimulatedParams(seed=seed, instruments=70, view=view, disagreements=intensity)
    faults = planted(params, END)
    assert len(faults) > 50
    for dataset in TABLES:
        found = disagreements(audit(dataset, params))
        explained: set[int] = set()
        for fault in faults:
            if fault.dataset != dataset:
                continue
            hits = of(fault, found)
            assert hits or tolerated(fault), fault
            explained |= set(hits)
        others = found.filter(~pl.col("row").is_in(explained))
        assert others.height == 0, others.select("code", "session", "field", "cause", "detail").rows()[:3]


def test_ten_seeds_plant_every_class() -> None:
    kinds = {"b": set(), "c": set()}
    for seed in range(1, 11):
        for view in kinds:
            params = SimulatedParams(seed=seed, instruments=70, view=view, disagreements=5.0)
            kinds[view] |= {fault.kind for fault in planted(params, END)}
    assert kinds["b"] == {*BAR_SHARES, *EVENT_SHARES}
    assert kinds["c"] == {*BARS, *SERIES, *DAYS, *EVENTS, "base"}


def test_a_whole_day_of_a_market_is_one_finding() -> None:
    params = SimulatedParams(seed=3, instruments=70, view="c", disagreements=5.0)
    report = audit("bars_1d", params)
    missing = report.findings.filter(pl.col("cause") == "missing_day")
    assert missing.height == 1
    assert missing["cells"][0] >= 8
    assert missing["code"][0] == "SH"
    lots = report.findings.filter((pl.col("cause") == "lots") & (pl.col("code") == "SZ"))
    assert lots.height == 1


@pytest.mark.parametrize("view", ["b", "c"])
def test_vendors_who_agree_are_said_to_agree(view: str) -> None:
    params = SimulatedParams(seed=5, instruments=70, view=view, disagreements=0.0)
    assert planted(params, END) == ()
    for dataset in TABLES:
        report = audit(dataset, params)
        assert report.findings.height == 0
        assert report.rates()["rate"].max() == 0


def test_suspects_are_never_the_truth() -> None:
    """Where the evidence speaks against a source, it is the one with the planted faults."""
    params = SimulatedParams(seed=9, instruments=70, view="c", disagreements=5.0)
    for dataset in TABLES:
        suspects = set(disagreements(audit(dataset, params))["suspect"].drop_nulls().to_list())
        assert suspects <= {"c"}
