"""What a vendor's adapter may know of the workspace: listed codes, and the credential when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from quant.warehouse.secrets import resolve_secret
from quant.warehouse.sources.settings import SourceSettings
from quant.warehouse.sources.vendor import VendorWorld

if TYPE_CHECKING:
    from quant.warehouse.lake import Lake


def world_of(settings: SourceSettings, lake: Lake | None = None) -> VendorWorld:
    """The world of a source. Codes are those of the spec, else of the source's own instruments, else of the
    golden ones; none before instruments were stored.
    """

    def secret() -> str:
        return resolve_secret(settings.secret) if settings.secret else ""

    return VendorWorld(codes=_codes(settings, lake), secret=secret)


def _codes(settings: SourceSettings, lake: Lake | None) -> Callable[[date, date], Sequence[str]]:
    cache: list[pl.DataFrame] = []

    def codes(start: date, end: date) -> Sequence[str]:
        if not cache:
            cache.append(_instruments(settings, lake))
        return _listed(cache[0], settings.codes, start, end)

    return codes


def _instruments(settings: SourceSettings, lake: Lake | None) -> pl.DataFrame:
    columns = ("code", "list_date", "delist_date")
    if lake is not None:
        own = lake.read("instruments", layer="vendor", source=settings.name)
        rows = own if own.height else lake.read("instruments")
        if rows.height:
            return rows.select(columns)
    return pl.DataFrame(schema={"code": pl.String, "list_date": pl.Date, "delist_date": pl.Date})


def _listed(rows: pl.DataFrame, wanted: Sequence[str], start: date, end: date) -> list[str]:
    inside = (pl.col("list_date").fill_null(date.min) <= end) & (
        pl.col("delist_date").fill_null(date.max) > start
    )
    listed = rows.filter(inside)["code"].unique().sort().to_list()
    if not wanted:
        return listed
    known = set(rows["code"].to_list())
    return [code for code in wanted if code in set(listed) or code not in known]
