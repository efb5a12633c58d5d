"""From dated lists of an index to who was in it on each session, as known that morning."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from tiny_market import tables

from quant.core.ids import parse_code
from quant.core.market.calendar import calendar
from quant.research.reported import membership, spell_mask
from quant.warehouse.contracts.tables import contract
from quant.warehouse.lake import Lake, table_ref
from quant.warehouse.normalize.indices import spells
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings
from quant.warehouse.sync import plan_sync, sync

DATES = calendar("XSHG")
D1, D2, D3, D4 = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 29), date(2024, 4, 30)


def lists(*given: tuple[date, str], index: str = "000300.SH") -> pl.DataFrame:
    """Rows of ``index_weights``: a date and its members, one letter each."""
    rows = [
        {
            "index_code": index,
            "instrument_id": ord(letter),
            "session": day,
            "weight": 1.0 / len(members),
            "known_at": datetime.fromisoformat(f"{day}T17:00+08:00"),
            "recorded_at": datetime.fromisoformat("2024-06-01T00:00+08:00"),
            "source": "s",
            "payload": "p",
        }
        for day, members in given
        for letter in members
    ]
    return pl.DataFrame(rows, schema=contract("index_weights").schema)


def shown(rows: pl.DataFrame) -> list[tuple[str, date, date | None]]:
    found = rows.sort("instrument_id", "from_session").select("instrument_id", "from_session", "to_session")
    return [(chr(i), start, end) for i, start, end in found.iter_rows()]


def test_a_list_counts_from_the_next_morning_until_the_next_one_does() -> None:
    found = spells(lists((D1, "ab"), (D2, "bc"), (D3, "ac"), (D4, "ac")), DATES)
    after = {day: DATES.next(day) for day in (D1, D2, D3)}
    assert shown(found) == [
        ("a", after[D1], D2),
        ("a", after[D3], None),
        ("b", after[D1], D3),
        ("c", after[D2], None),
    ]


def test_each_index_has_its_own_dates() -> None:
    both = pl.concat([lists((D1, "a"), (D2, "a")), lists((D1, "a"), (D3, "b"), index="000905.SH")])
    found = spells(both, DATES).filter(pl.col("index_code") == "000905.SH")
    assert shown(found) == [("a", DATES.next(D1), D3), ("b", DATES.next(D3), None)]


def test_the_mask_is_the_newest_list_known_each_morning() -> None:
    given = [(D1, "abd"), (D2, "bc"), (D3, "acd"), (D4, "a")]
    sessions = tuple(DATES.sessions(D1, date(2024, 5, 31)))
    mornings = np.array([row[0] // 1000 for row in DATES.instant_rows(sessions)], dtype=np.int64)
    instruments = np.array([ord(c) for c in "abcde"], dtype=np.int64)
    mask = spell_mask(spells(lists(*given), DATES), sessions, instruments, mornings)
    for t, day in enumerate(sessions):
        known = [members for published, members in given if published < day]
        assert {chr(instruments[s]) for s in np.flatnonzero(mask[t])} == set(known[-1] if known else ""), day


def test_a_membership_announced_late_counts_from_then_on() -> None:
    rows = pl.DataFrame(
        {
            "instrument_id": [1, 2],
            "from_session": [date(2024, 3, 1)] * 2,
            "to_session": [date(2024, 3, 8), None],
            "known_at": [
                datetime.fromisoformat("2024-03-05T18:00+08:00"),
                datetime.fromisoformat("2024-02-01T18:00+08:00"),
            ],
        }
    )
    sessions = tuple(DATES.sessions(date(2024, 3, 1), date(2024, 3, 12)))
    mornings = np.array([row[0] // 1000 for row in DATES.instant_rows(sessions)], dtype=np.int64)
    mask = spell_mask(rows, sessions, np.array([1, 2, 3]), mornings)
    held = [sessions[t] for t in np.flatnonzero(mask[:, 0])]
    assert held == DATES.sessions(date(2024, 3, 6), date(2024, 3, 8))
    assert mask[:, 1].all()
    assert not mask[:, 2].any()


def synced(lake: Lake, root: Path, text: str, *fields: FieldSettings) -> pl.DataFrame:
    root.mkdir()
    (root / "master.csv").write_text("ts_code,list_date\n600519.SH,20010827\n600036.SH,20020409\n")
    (root / "members.csv").write_text(text)
    master = (FieldSettings("ts_code", "code"), FieldSettings("list_date", "list_date", format="%Y%m%d"))
    own = (FieldSettings("index", "index_code"), FieldSettings("code", "code"), *fields)
    datasets = {
        "instruments": DatasetSettings("instruments", "master.csv", master),
        "index_members": DatasetSettings("index_members", "members.csv", own),
    }
    source = SourceSettings("v", "files", root=root, datasets=datasets, quarantine_max=1.0)
    wanted = tables("v", names=("instruments", "index_members"))
    for _ in sync(plan_sync(wanted, {"v": source}, lake, D1, D4), lake, run="t"):
        pass
    return lake.read("index_members").sort("instrument_id", "from_session")


def test_dates_in_and_out_are_stored_as_given(lake: Lake, tmp_path: Path) -> None:
    text = (
        "index,code,in,out\n000300.XSHG,600519,2024-01-02,\nsh.000300,600036,2024-01-02,2024-02-08\n"
        "nonsense,600036,2024-01-02,2024-02-08\n"
    )
    given = (FieldSettings("in", "from_session"), FieldSettings("out", "to_session"))
    rows = synced(lake, tmp_path / "v", text, *given)
    assert rows["index_code"].unique().to_list() == ["000300.SH"]
    assert rows["to_session"].to_list() in ([None, date(2024, 2, 8)], [date(2024, 2, 8), None])
    assert set(rows["known_at"].to_list()) == {datetime.fromisoformat("2024-01-02T09:15+08:00")}
    assert lake.read("quarantine")["rule"].to_list() == ["index_code.value"]


def test_lists_without_a_last_session_become_spells(lake: Lake, tmp_path: Path) -> None:
    text = "index,code,updated\n" + "".join(
        f"000300.SH,{code},{day}\n"
        for day, codes in (
            ("2024-01-31", "600519 600036"),
            ("2024-02-29", "600519"),
            ("2024-03-29", "600519"),
        )
        for code in codes.split()
    )
    rows = synced(lake, tmp_path / "v", text, FieldSettings("updated", "from_session"))
    ids = dict(lake.read("instruments").select("instrument_id", "code").iter_rows())
    assert {(ids[i], start, end) for i, start, end in
            rows.select("instrument_id", "from_session", "to_session").iter_rows()} == {
        ("600519.SH", date(2024, 2, 1), None),
        ("600036.SH", date(2024, 2, 1), date(2024, 2, 29)),
    }  # fmt: skip


def test_real_lists_of_the_csi_300(lake: Lake, shared: Callable[[str], Path]) -> None:
    """Each month's list, taken as known when the month is over, is the index all through the next month."""
    root = shared("data/ashare_us_17_*/yfiua")
    published: dict[date, set[str]] = {}
    for file in sorted(root.glob("20*/*/constituents-csi300.csv.gz")):
        year, month = int(file.parts[-3]), int(file.parts[-2])
        symbols = pl.read_csv(gzip.decompress(file.read_bytes()))["Symbol"].to_list()
        first = date(year + month // 12, month % 12 + 1, 1)
        if first > DATES.last:
            continue
        published[DATES.previous(first)] = {str(parse_code(s)) for s in symbols}
    codes = sorted(set().union(*published.values()))
    ids = {code: n + 1 for n, code in enumerate(codes)}
    rows = [
        {"index_code": "000300.SH", "instrument_id": ids[c], "session": day, "weight": None,
         "known_at": datetime.fromisoformat(f"{day}T17:00+08:00")}
        for day, members in published.items() for c in members
    ]  # fmt: skip
    stamp = datetime.fromisoformat("2026-08-01T00:00+08:00")
    frame = pl.DataFrame(rows, schema_overrides={"weight": pl.Float64}).with_columns(
        recorded_at=pl.lit(stamp), source=pl.lit("s"), payload=pl.lit("p")
    )
    target = contract("index_weights")
    days = sorted(published)
    lake.write_interval(
        table_ref("index_weights"),
        frame.select(pl.col(n).cast(t) for n, t in target.schema.items()),
        days[0],
        days[-1],
    )
    assert len(days) > 24
    spelled = membership(lake, "000300.SH")
    assert spelled.height > len(codes) * 0.9
    assert set(spelled.filter(pl.col("to_session").is_not_null())["instrument_id"]), "some have left"
    sessions = tuple(DATES.sessions(days[0], days[-1]))
    mornings = np.array([row[0] // 1000 for row in DATES.instant_rows(sessions)], dtype=np.int64)
    mask = spell_mask(spelled, sessions, np.arange(1, len(codes) + 1), mornings)
    assert not mask[0].any(), "nothing was known before the first list"
    for t, day in enumerate(sessions[1:], start=1):
        newest = max(d for d in days if d < day)
        assert {codes[s] for s in np.flatnonzero(mask[t])} == published[newest], day
    assert set(mask[1:].sum(axis=1).tolist()) == {300}
    changes = sum(published[a] != published[b] for a, b in itertools.pairwise(days))
    assert changes >= 4, "the index is reviewed twice a year"
    assert days[-1] - days[0] > timedelta(days=700)
