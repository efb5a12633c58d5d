"""Who held a code when: changes of code, reuse, delistings, lists that differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_market import files_source, tables

from quant.warehouse.lake import Lake
from quant.warehouse.normalize import FormerCode, Identities
from quant.warehouse.sync import plan_sync, sync

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, GONE, AGAIN = date(1993, 5, 5), date(2005, 9, 1), date(2012, 3, 1)


def days(*texts: str) -> pl.Series:
    return pl.Series("session", [date.fromisoformat(text) for text in texts])


def who(identities: Identities, code: str, *texts: str) -> list[int | None]:
    return identities.lookup(pl.Series("code", [code] * len(texts)), days(*texts)).to_list()


def test_a_code_used_again_is_another_instrument_from_then_on(lake: Lake) -> None:
    identities = Identities(lake)
    old = identities.mint("000018.SZ", FIRST, until=GONE)
    new = identities.mint("000018.SZ", AGAIN)
    assert old != new
    dated = who(identities, "000018.SZ", "1999-01-04", "2005-08-31", "2005-09-01", "2012-02-29", "2024-01-02")
    assert dated == [old, old, None, None, new]
    assert identities.lookup(pl.Series(["000018.SZ"])).to_list() == [new]
    assert identities.reused()["instrument_id"].to_list() == [old, new]
    identities.save(NOW)
    assert who(Identities(lake), "000018.SZ", "1999-01-04", "2024-01-02") == [old, new]


def test_reuse_is_seen_in_whatever_order_the_holders_come(lake: Lake) -> None:
    identities = Identities(lake)
    new = identities.mint("000018.SZ", AGAIN)
    old = identities.mint("000018.SZ", FIRST, until=GONE)
    assert who(identities, "000018.SZ", "1999-01-04", "2024-01-02") == [old, new]


def test_a_delisting_heard_of_later_ends_the_spell_that_is_stored(lake: Lake) -> None:
    identities = Identities(lake)
    old = identities.mint("000018.SZ", FIRST)
    identities.save(NOW)
    later = Identities(lake)
    assert later.mint("000018.SZ", FIRST, until=GONE) == old
    assert later.mint("000018.SZ", AGAIN) != old
    later.save(NOW)
    assert lake.read("identities").sort("first_session")["until"].to_list() == [GONE, None]


@pytest.mark.parametrize("listed", [date(1993, 5, 4), date(1900, 1, 1), date(1994, 1, 3)])
def test_vendors_may_disagree_on_the_listing_date_of_one_instrument(lake: Lake, listed: date) -> None:
    identities = Identities(lake)
    assert identities.mint("000018.SZ", FIRST) == identities.mint("000018.SZ", listed)


def test_one_holder_means_its_code_on_every_date(lake: Lake) -> None:
    """A vendor prints 920799 over the years in which the code was 830799."""
    identities = Identities(lake)
    held = identities.mint("920799.BJ", date(2020, 7, 27), [FormerCode("830799.BJ", date(2025, 10, 9))])
    assert who(identities, "920799.BJ", "2021-01-04", "2025-10-09") == [held, held]
    assert who(identities, "830799.BJ", "2021-01-04", "2025-10-10") == [held, held]
    assert identities.codes(pl.Series([held])).to_list() == ["920799.BJ"]


def test_a_former_code_can_be_given_to_another_instrument(lake: Lake) -> None:
    identities = Identities(lake)
    held = identities.mint("001872.SZ", FIRST, [FormerCode("000022.SZ", date(2018, 12, 26))])
    other = identities.mint("000022.SZ", date(2030, 1, 2))
    assert other != held
    assert who(identities, "000022.SZ", "2018-12-25", "2018-12-26", "2030-01-02") == [held, None, other]


@pytest.mark.parametrize("order", [("830799.BJ", "920799.BJ"), ("920799.BJ", "830799.BJ")])
def test_beijings_new_numbers_meet_the_old_ones_by_listing_date_and_last_digits(
    lake: Lake, order: tuple[str, str]
) -> None:
    identities = Identities(lake)
    first, second = (identities.mint(code, date(2020, 7, 27)) for code in order)
    assert first == second


def test_beijing_numbers_that_could_mean_two_stocks_are_kept_apart(lake: Lake) -> None:
    identities = Identities(lake)
    listed = date(2021, 11, 15)
    old = {identities.mint("430799.BJ", listed), identities.mint("830799.BJ", listed)}
    assert len(old) == 2
    assert identities.mint("920799.BJ", listed) not in old
    recent = date(2025, 3, 3)
    assert identities.mint("920001.BJ", recent) != identities.mint("830001.BJ", recent)


@given(
    spells=st.lists(st.integers(0, 40), min_size=2, max_size=8, unique=True),
    order=st.randoms(use_true_random=False),
)
def test_every_session_belongs_to_who_held_the_code_then(
    tmp_path_factory: pytest.TempPathFactory, spells: list[int], order: object
) -> None:
    """Against the plain rule, with holders heard of in any order and the list saved in between."""
    lake = Lake(tmp_path_factory.mktemp("ids") / "lake")
    years = sorted(spells)
    holders = [
        (date(1980 + a, 1, 1), date(1980 + b, 1, 1)) for a, b in zip(years[::2], years[1::2], strict=False)
    ]
    shuffled = list(holders)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    ids = {}
    identities = Identities(lake)
    for first, until in shuffled:
        ids[first] = identities.mint("000018.SZ", first, until=until)
    assert len(set(ids.values())) == len(holders)
    identities.save(NOW)
    asked = [date(1979 + n, 6, 1) for n in range(44)]
    found = who(Identities(lake), "000018.SZ", *(day.isoformat() for day in asked))
    for day, instrument in zip(asked, found, strict=True):
        held = [ids[first] for first, until in holders if first <= day < until]
        assert instrument == (held[0] if held else None if len(holders) > 1 else ids[holders[0][0]])


MASTER_A = (
    "ts_code,name,list_date,delist_date\n600000.SH,浦发,19991110,\n000018.SZ,神州,19920616,20200107\n"
    "000018.SZ,新股,20230301,\n830799.BJ,艾融,20200727,\n"
)
MASTER_B = (
    "ts_code,name,list_date,delist_date\n600000.SH,浦发银行,19991111,\n920799.BJ,艾融软件,20200727,\n"
    "600010.SH,包钢,20010309,\n000022.SZ,深赤湾,19930505,20181226\n001872.SZ,招商港口,19930505,\n"
)
BARS_A = (
    "ts_code,trade_date,open,high,low,close,pre_close,vol,amount,adj_factor\n"
    "000018.SZ,20200102,1.00,1.00,1.00,1.00,1.00,10,1,1\n"
    "000018.SZ,20210104,1.00,1.00,1.00,1.00,1.00,10,1,1\n"
    "000018.SZ,20240102,5.00,5.00,5.00,5.00,5.00,10,5,1\n"
)


def test_two_lists_that_differ_become_one_and_rows_go_to_who_held_the_code(
    lake: Lake, tmp_path: Path
) -> None:
    sources = {}
    for name, master in (("a", MASTER_A), ("b", MASTER_B)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "master.csv").write_text(master, encoding="utf-8")
        (folder / "bars.csv").write_text(BARS_A, encoding="utf-8")
        base = files_source(folder, name=name, quarantine_max=0.5)
        listing = base.datasets["instruments"]
        more = replace(listing.fields[2], column="delist_date", name="delist_date")
        listing = replace(listing, fields=(*listing.fields, more))
        sources[name] = replace(base, datasets={**base.datasets, "instruments": listing})
    names = ("instruments", "bars_1d")
    plan = plan_sync(tables("a", "b", names=names), sources, lake, date(2020, 1, 2), date(2024, 1, 5))
    list(sync(plan, lake, run="r"))
    listed = {s: lake.read("instruments", layer="vendor", source=s) for s in ("a", "b")}
    ids = {s: dict(rows.select("code", "instrument_id").iter_rows()) for s, rows in listed.items()}
    assert ids["a"]["600000.SH"] == ids["b"]["600000.SH"]
    assert ids["a"]["830799.BJ"] == ids["b"]["920799.BJ"]
    both = listed["a"].filter(pl.col("code") == "000018.SZ").sort("list_date")
    assert both["instrument_id"].n_unique() == 2
    assert both["board"].to_list() == ["SZSE_MAIN", "SZSE_MAIN"]
    bars = lake.read("bars_1d", layer="vendor", source="a").sort("session")
    assert bars["instrument_id"].to_list() == both["instrument_id"].to_list()
    aside = lake.read("quarantine").filter(source="a")
    assert aside["rule"].to_list() == ["code.not_held"]
    assert aside["session"].to_list() == [date(2021, 1, 4)]
