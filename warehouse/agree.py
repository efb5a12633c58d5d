"""Storing one interval of an agreed golden table: read its sources' rows, arbitrate, write, log.

Decisions and rows on which nobody could agree are written before the golden rows, the log last. A kill in
between leaves an interval that is planned again and then says the same.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from quant.core.market.calendar import calendar
from quant.warehouse import quarantine
from quant.warehouse.arbitrate import Agreed, ArbitrationSettings, arbitrate, key_text
from quant.warehouse.contracts.tables import TableContract, contract
from quant.warehouse.coverage import Interval, logged, overlap
from quant.warehouse.dissent import codes_of, votes_of, write_decisions
from quant.warehouse.ingest import IngestReport, last_facts, write
from quant.warehouse.lake import GOLDEN, Lake, TableRef
from quant.warehouse.planning import Agreement
from quant.warehouse.sync_log import Ingest, Outcome, record

_DAY = timedelta(days=1)


@dataclass(slots=True)
class _Sums:
    """What the parts of an interval add up to."""

    rows: int = 0
    quarantined: int = 0
    changed: bool = False
    version: int = 0
    contested: dict[str, int] = field(default_factory=dict)
    lost: dict[str, dict[str, int]] = field(default_factory=dict)
    delivered: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def take(self, agreed: Agreed) -> None:
        self.rows += agreed.rows.height
        self.quarantined += agreed.set_aside.height
        _add(self.contested, agreed.contested)
        _add(self.delivered, agreed.delivered)
        for source, columns in agreed.lost.items():
            _add(self.lost.setdefault(source, {}), columns)


def agree(item: Agreement, lake: Lake, by: Ingest) -> IngestReport:
    """Agree an interval from the sources that have delivered it; parts that fewer have delivered than the
    table needs stay as they were, and are named in the report.
    """
    sums, waiting = _Sums(), []
    needs = item.table.arbitrate.needs if item.table.arbitrate else 1
    for part, voters in delivered(item, lake):
        if len(voters) < needs:
            waiting.append((part.start, part.end))
            continue
        _agree_part(item, lake, by, part, voters, sums)
    if sums.version == 0:
        sums.version = lake.version(item.table.name) or 0
    else:
        lake.content_hash(item.table.name)  # kept beside the lake: the next reader need not hash
    return IngestReport(
        table=item.table.name,
        source=item.label,
        start=item.start,
        end=item.end,
        calls=0,
        rows=sums.rows,
        quarantined=sums.quarantined,
        changed=sums.changed,
        version=sums.version,
        facts=sums.facts,
        contested=sums.contested,
        lost=sums.lost,
        delivered=sums.delivered,
        waiting=tuple(waiting),
    )


def delivered(item: Agreement, lake: Lake) -> list[tuple[Interval, list[str]]]:
    """The interval in parts, each with the sources whose rows are stored throughout with their settings."""
    log = lake.read("sync_log").filter((pl.col("status") == "ok") & (pl.col("table") == item.table.name))
    whole = Interval(item.start, item.end)
    held = {}
    for name, settings in item.hashes.items():
        same = pl.col("settings").eq_missing(pl.lit(settings)) | pl.col("settings").is_null()
        mine = log.filter((pl.col("source") == name) & same)
        held[name] = overlap(logged(mine), whole)
    if contract(item.table.dataset).time is None:
        return [(whole, [name for name, parts in held.items() if parts])]
    return _parts(whole, held, None if contract(item.table.dataset).every_day else item.market)


def _parts(
    whole: Interval, held: Mapping[str, Sequence[Interval]], market: str | None
) -> list[tuple[Interval, list[str]]]:
    """Cut where a source begins or ends; neighbours with the same sources are one part. Parts without a
    session of ``market`` say nothing; without a market every day may.
    """
    edges = {whole.start, whole.end + _DAY}
    for parts in held.values():
        edges |= {each.start for each in parts} | {each.end + _DAY for each in parts}
    cuts = sorted(edges)
    found: list[tuple[Interval, list[str]]] = []
    for start, after in itertools.pairwise(cuts):
        part = Interval(start, after - _DAY)
        if market is not None and not calendar(market).sessions(part.start, part.end):
            continue
        voters = [n for n, ps in held.items() if any(p.start <= part.start and p.end >= part.end for p in ps)]
        if found and found[-1][1] == voters:
            found[-1] = (Interval(found[-1][0].start, part.end), voters)
        else:
            found.append((part, voters))
    return found


def _agree_part(
    item: Agreement, lake: Lake, by: Ingest, part: Interval, voters: Sequence[str], sums: _Sums
) -> None:
    table = contract(item.table.dataset)
    agreed = arbitrate(table.name, votes_of(lake, table, part, voters), _rules(item))
    golden, aside = _released(item, lake, table, agreed)
    write_decisions(lake, table, part, agreed.decisions, by.stamp)
    within = quarantine.Within(part.start, part.end, whole=table.time is None)
    quarantine.set_aside(lake, table.name, item.label, within, aside, by.stamp)
    note = {"quant": "agree", "sources": ",".join(voters)}
    result = write(lake, TableRef(table.name, GOLDEN), golden, part.start, part.end, note)
    facts = _facts(lake, table.name, voters)
    outcome = Outcome(part.start, part.end, "ok", True, 0, golden.height, aside.height, facts)
    record(lake, item, outcome, by)
    sums.take(agreed)
    sums.changed |= result.changed
    sums.version, sums.facts = result.version, facts


def _rules(item: Agreement) -> ArbitrationSettings:
    return item.table.arbitrate or ArbitrationSettings()


def _released(
    item: Agreement, lake: Lake, table: TableContract, agreed: Agreed
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The golden rows, with those nobody could agree on that someone released; and all of the latter."""
    aside = _as_rejected(lake, table, agreed)
    if not aside.height:
        return agreed.rows, aside
    decided = quarantine.decisions(lake, table.name, item.label)
    passes = quarantine.with_ids(aside, table.name, item.label)[quarantine.ID].is_in(list(decided.released))
    released = agreed.set_aside.filter(passes).select(table.names)
    return pl.concat([agreed.rows, released]), aside


def _as_rejected(lake: Lake, table: TableContract, agreed: Agreed) -> pl.DataFrame:
    rows = agreed.set_aside
    keys = rows.select(table.key)
    votes = rows.select(key_text(keys).alias("row"), "field").join(
        agreed.decisions.select("row", "field", "votes"), on=["row", "field"], how="left",
        maintain_order="left",
    )  # fmt: skip
    said = [
        json.dumps({**json.loads(row), "field": name, "votes": _values(text)}, ensure_ascii=False)
        for row, name, text in votes.select("row", "field", "votes").iter_rows()
    ]
    nothing = pl.repeat(None, rows.height, dtype=pl.Date, eager=True)
    return pl.DataFrame({
        "session": rows[table.time] if table.time else nothing,
        "code": codes_of(lake, rows),
        "rule": ("arbitration." + rows["field"]).cast(pl.String),
        "reason": ("the sources do not agree on " + rows["field"]).cast(pl.String),
        "row_json": pl.Series(said, dtype=pl.String),
        "payload": rows["payload"],
    })  # fmt: skip


def _values(votes: str | None) -> dict[str, object]:
    """What each source states, without what changes when the same is fetched again."""
    return {name: vote["value"] for name, vote in json.loads(votes or "{}").items() if vote}


def _facts(lake: Lake, table: str, voters: Sequence[str]) -> dict[str, str]:
    """What is known about agreed data: something is absent only where every source lacks it."""
    said = [last_facts(lake, table, name) for name in voters]
    found: dict[str, str] = {}
    for facts in reversed(said):
        found |= {k: v for k, v in facts.items() if v != "absent" or all(o.get(k) == v for o in said)}
    return found


def _add(sums: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        sums[name] = sums.get(name, 0) + count
