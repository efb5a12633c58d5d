"""Several endpoints, one dataset: their rows joined in the vendor's own columns.

The first endpoint keeps its column names; those of a part are called ``endpoint.column``. Keys are compared
as codes and dates, so that two endpoints may spell them differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from quant.warehouse.normalize.fields import convert
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, PartSettings

_TYPES = {"code": pl.String()}
_DATES = ("session", "from_session", "to_session")
_ROW = "_row"


def joined(
    frames: Iterable[tuple[str, str, pl.DataFrame]], dataset: DatasetSettings
) -> list[tuple[str, pl.DataFrame]]:
    """(payload digest, frame) of a dataset with parts, from (endpoint, payload digest, frame) of each call.

    A row keeps the payload of its first endpoint; one that only a part has keeps the part's.
    """
    by_endpoint: dict[str, list[pl.DataFrame]] = {}
    for endpoint, digest, frame in frames:
        by_endpoint.setdefault(endpoint, []).append(frame.with_columns(pl.lit(digest).alias("payload")))
    first = _stacked(by_endpoint.get(dataset.endpoint, []))
    work = _keyed(first, dataset.fields, ("code", "session"))
    for part in dataset.parts:
        rows = _declared(_stacked(by_endpoint.get(part.endpoint, [])), part)
        match part.how:
            case "spell":
                work = _with_spells(work, rows, part)
            case "append":
                work = pl.concat([work, _below(rows, part, dataset)], how="diagonal_relaxed")
            case _:
                work = _with_part(work, rows, part, dataset)
    plain = work.drop([name for name in work.columns if name.startswith("_key_")])
    return [(str(digest), rows.drop("payload")) for (digest,), rows in _by_payload(plain)]


def joined_settings(dataset: DatasetSettings) -> DatasetSettings:
    """The dataset as its joined frame is read: the columns of the parts under their joined names."""
    columns = list(dataset.fields)
    for part in dataset.parts:
        keys = {*part.on, "from_session", "to_session"}
        if part.how == "append":
            keys = {f.name for f in dataset.fields}
        columns += [
            replace(f, column=f"{part.endpoint}.{f.column}") for f in part.fields if f.name not in keys
        ]
    return replace(dataset, fields=tuple(columns))


def _below(rows: pl.DataFrame, part: PartSettings, dataset: DatasetSettings) -> pl.DataFrame:
    """A part's rows under the column names of the first endpoint, as far as both mean the same."""
    own = {f.name: f.column for f in dataset.fields}
    names = {f.column: own.get(f.name, f"{part.endpoint}.{f.column}") for f in part.fields}
    return rows.select(
        *(pl.col(column).alias(name) for column, name in names.items() if column in rows.columns), "payload"
    )


def _by_payload(frame: pl.DataFrame) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    return list(frame.group_by("payload", maintain_order=True)) if frame.height else []


def _stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if not frames:
        return pl.DataFrame(schema={"payload": pl.String})
    return pl.concat(frames, how="diagonal_relaxed")


def _declared(rows: pl.DataFrame, part: PartSettings) -> pl.DataFrame:
    """With the part's columns, also where it had nothing to say in the whole interval."""
    if rows.height:
        return rows
    missing = [f.column for f in part.fields if f.column not in rows.columns]
    return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)


def _keyed(rows: pl.DataFrame, fields: Sequence[FieldSettings], names: Sequence[str]) -> pl.DataFrame:
    """``rows`` with ``_key_<name>`` columns of codes and dates."""
    found: list[pl.Series] = []
    for name in names:
        field = next((f for f in fields if f.name == name), None)
        dtype = pl.Date() if name in _DATES else pl.String()
        if field is None or field.column not in rows.columns:
            found.append(pl.Series(f"_key_{name}", [None] * rows.height, dtype=dtype))
        else:
            found.append(convert(rows[field.column], field, dtype).values.alias(f"_key_{name}"))
    return rows.with_columns(found)


def _renamed(rows: pl.DataFrame, part: PartSettings) -> pl.DataFrame:
    names = {name: f"{part.endpoint}.{name}" for name in rows.columns if not name.startswith("_key_")}
    return rows.rename(names)


def _with_part(
    work: pl.DataFrame, rows: pl.DataFrame, part: PartSettings, dataset: DatasetSettings
) -> pl.DataFrame:
    keys = [f"_key_{name}" for name in part.on]
    right = _renamed(_keyed(rows, part.fields, part.on), part).unique(keys, keep="last", maintain_order=True)
    mixed = work.join(
        right,
        on=keys,
        how="full" if part.how == "full" else "left",
        coalesce=True,
        maintain_order="left_right" if part.how == "full" else "left",
    )
    return _spelled(mixed, part, dataset).drop(f"{part.endpoint}.payload", strict=False)


def _spelled(mixed: pl.DataFrame, part: PartSettings, dataset: DatasetSettings) -> pl.DataFrame:
    """Rows that only the part has take its spelling of code and session, and its payload."""
    if part.how != "full":
        return mixed
    own = {f.name: f.column for f in dataset.fields}
    theirs = {f.name: f"{part.endpoint}.{f.column}" for f in part.fields}
    pairs = [(own[name], theirs[name]) for name in part.on] + [("payload", f"{part.endpoint}.payload")]
    present = [(mine, their) for mine, their in pairs if mine in mixed.columns and their in mixed.columns]
    absent = [(mine, their) for mine, their in pairs if mine not in mixed.columns and their in mixed.columns]
    return mixed.with_columns(
        *(pl.coalesce(mine, their).alias(mine) for mine, their in present),
        *(pl.col(their).alias(mine) for mine, their in absent),
    )


def _with_spells(work: pl.DataFrame, rows: pl.DataFrame, part: PartSettings) -> pl.DataFrame:
    """Each row takes the spell that began last before it and has not ended."""
    names = ("code", "from_session", "to_session")
    right = _renamed(_keyed(rows, part.fields, names), part).drop(f"{part.endpoint}.payload", strict=False)
    right = right.drop_nulls(["_key_code", "_key_from_session"]).sort(
        "_key_from_session", maintain_order=True
    )
    right = right.rename({"_key_from_session": "_key_from", "_key_to_session": "_key_to"})
    left = work.with_row_index(_ROW).sort("_key_session", nulls_last=True, maintain_order=True)
    if not right.height or not left.height:
        missing = [
            name for name in right.columns if name not in work.columns and not name.startswith("_key_")
        ]
        return work.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    dated, undated = (
        left.filter(pl.col("_key_session").is_not_null()),
        left.filter(pl.col("_key_session").is_null()),
    )
    found = dated.join_asof(
        right, left_on="_key_session", right_on="_key_from", by="_key_code", strategy="backward",
        check_sortedness=False,
    )  # fmt: skip
    over = pl.col("_key_to").is_not_null() & (pl.col("_key_to") < pl.col("_key_session"))
    brought = [name for name in right.columns if name.startswith(f"{part.endpoint}.")]
    found = found.with_columns(pl.when(~over).then(pl.col(name)).alias(name) for name in brought)
    whole = pl.concat([found, undated], how="diagonal_relaxed").sort(_ROW)
    return whole.drop(_ROW, "_key_from", "_key_to", strict=False)
