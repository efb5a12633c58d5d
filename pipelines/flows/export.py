"""``quant data export``: rows of a golden table as one file that is whole or not there."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from quant.core.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from quant.pipelines.workspace import Workspace
    from quant.warehouse.lake import Lake

FORMATS: Final = (".parquet", ".csv")
ADJUSTMENTS: Final = ("none", "pre", "post")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to write: rows of ``table`` with ``start <= time <= end``, at a snapshot's version or the newest.
    ``adjust`` turns traded prices into adjusted ones, as of the end.
    """

    table: str
    file: Path
    start: date | None = None
    end: date | None = None
    columns: tuple[str, ...] = ()
    snapshot: str | None = None
    adjust: str = "none"


@dataclass(frozen=True, slots=True)
class Exported:
    file: str
    table: str
    version: int
    rows: int
    columns: tuple[str, ...]
    bytes: int
    new_folder: str | None = None
    """The folder that was made for it, if it was not there."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def export(desk: Workspace, request: ExportRequest) -> Exported:
    """Write the file; codes stand beside instrument ids. Raises UsageError for what cannot be exported."""
    from quant.warehouse.files import write_atomic
    from quant.warehouse.lake import Lake

    lake = Lake(desk.lake)
    _refuse(lake, request)
    versions = _versions(lake, request)
    version = versions[request.table]
    rows = _chosen(_adjusted(lake, request, versions, _rows(lake, request, versions)), request)
    content = _bytes(rows, request.file.suffix.lower())
    folder = request.file.absolute().parent
    made = None if folder.exists() else str(folder)
    write_atomic(request.file.absolute(), content)
    columns = tuple(rows.columns)
    return Exported(str(request.file), request.table, version, rows.height, columns, len(content), made)


def _refuse(lake: Lake, request: ExportRequest) -> None:
    if request.file.suffix.lower() not in FORMATS:
        raise UsageError(
            "export.format",
            f"{request.file.name} names no known format",
            expected="a file that ends in .parquet or .csv",
            found=request.file.suffix or "no ending",
        )
    if request.adjust not in ADJUSTMENTS:
        raise UsageError(
            "export.adjust", "unknown adjustment", expected=", ".join(ADJUSTMENTS), found=request.adjust
        )
    if request.adjust != "none" and request.table != "bars_1d":
        raise UsageError(
            "export.adjust",
            f"{request.table} has no prices to adjust",
            expected="bars_1d",
            found=request.table,
        )
    if not lake.exists(request.table):
        raise UsageError(
            "table.absent", f"{request.table} does not exist", hint=f"quant data sync {request.table}"
        )


def _versions(lake: Lake, request: ExportRequest) -> dict[str, int]:
    from quant.pipelines.flows.upkeep import snapshot_versions

    if request.snapshot is None:
        return {name: version for name in lake.tables() if (version := lake.version(name)) is not None}
    found = snapshot_versions(lake, request.snapshot)
    if request.table not in found:
        raise UsageError(
            "snapshot.table",
            f"the snapshot {request.snapshot} has no table {request.table}",
            expected=", ".join(sorted(found)),
            found=request.table,
        )
    return found


def _rows(lake: Lake, request: ExportRequest, versions: dict[str, int]) -> pl.DataFrame:
    from quant.warehouse.contracts.tables import contract

    target = contract(request.table)
    timed = target.time is not None
    rows = lake.read(
        request.table,
        version=versions[request.table],
        start=request.start if timed else None,
        end=request.end if timed else None,
    ).sort(target.key)
    if "instrument_id" not in rows.columns or "code" in rows.columns:
        return rows
    names = lake.read("instruments", version=versions.get("instruments"), columns=["instrument_id", "code"])
    coded = rows.join(names, on="instrument_id", how="left", maintain_order="left")
    return coded.select("instrument_id", "code", *(n for n in rows.columns if n != "instrument_id"))


def _adjusted(
    lake: Lake, request: ExportRequest, versions: dict[str, int], rows: pl.DataFrame
) -> pl.DataFrame:
    if request.adjust == "none":
        return rows
    from quant.warehouse.adjust.prices import PRICES, adjusted

    if "adjustment_factors" not in versions:
        raise UsageError(
            "export.adjust",
            "there are no adjustment factors to adjust with",
            expected="a stored table adjustment_factors",
            hint="quant data sync adjustment_factors",
        )
    factors = lake.read("adjustment_factors", version=versions["adjustment_factors"], end=request.end)
    prices = [name for name in (*PRICES, "limit_up", "limit_down") if name in rows.columns]
    how: Any = request.adjust
    return adjusted(rows, factors, how, as_of=request.end, prices=prices)


def _chosen(rows: pl.DataFrame, request: ExportRequest) -> pl.DataFrame:
    unknown = [name for name in request.columns if name not in rows.columns]
    if unknown:
        raise UsageError(
            "column.unknown",
            f"{request.table} has no column {', '.join(unknown)}",
            expected=", ".join(rows.columns),
            found=", ".join(unknown),
        )
    return rows.select(request.columns) if request.columns else rows


def _bytes(rows: pl.DataFrame, suffix: str) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".csv":
        rows.write_csv(buffer)
    else:
        rows.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def split_columns(texts: Sequence[str]) -> tuple[str, ...]:
    """Columns given one by one or with commas between."""
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())
