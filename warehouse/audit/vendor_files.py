"""Files as relations: read by a source's settings, or by what their headers and names say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, UsageError
from quant.warehouse.audit.compare import Claims, Relation
from quant.warehouse.audit.compare.relation import FLAGS, NUMBERS, OHLC, Adjustment
from quant.warehouse.audit.headers import fields_of, is_instrument, is_wide, known_headers, read_code
from quant.warehouse.audit.sniffing import FORMATS, TEXT, payload, sniffed
from quant.warehouse.contracts.tables import contract
from quant.warehouse.normalize.fields import convert
from quant.warehouse.normalize.rows import chosen
from quant.warehouse.normalize.texts import plain_headers
from quant.warehouse.sources.files import FilesSource
from quant.warehouse.sources.port import Source
from quant.warehouse.sources.registry import open_source
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings

_SAID: Final[tuple[tuple[Adjustment, str], ...]] = (
    ("none", r"nfq|bfq|不复权|除权|(?<![a-z])raw(?![a-z])|unadjusted"),
    ("pre", r"qfq|前复权|forward"),
    ("post", r"hfq|后复权|backward"),
)
_GROUPED: Final = r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$"
_CORE: Final = ("code", "session", *OHLC)
_SHOWN: Final = 5
_AMERICAN: Final = (
    *("%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M:%S%#z", "%Y%m%d%H%M"),
    *("%Y%m%d %H:%M", "%Y%m%d %H%M%S", "%m/%d/%Y %I:%M:%S %p"),
)
EVER: Final = (date(1970, 1, 1), date(2100, 1, 1))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A relation, and what was assumed to read it. ``named_by_file``: its code is only the file's name."""

    relation: Relation
    notes: tuple[str, ...] = ()
    named_by_file: bool = False


def from_source(
    settings: SourceSettings,
    dataset: str,
    source: Source | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Loaded:
    """The rows of a source's dataset in shares and yuan, its prices as it prints them."""
    wanted = settings.dataset(dataset)
    opened = source or open_source(settings)
    frames, titles = [], set()
    for each in opened.fetch(dataset, start or EVER[0], end or EVER[1]):
        frame = plain_headers(opened.parse(each))
        titles |= _titles(frame)
        frames.append(frame)
    rows = pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()
    fields = _declared(settings, wanted, rows)
    _whole_spec(settings.name, wanted, fields, rows)
    frame, notes = typed(rows, fields, dataset, settings.name)
    frame, left_out = chosen(frame, wanted)
    notes += [f"{what} are left out of {settings.name}" for what in left_out.values()]
    spelling = next((f.style for f in fields if f.name == "code" and f.style), "") or ""
    claims = Claims(wanted.adjustment, bool(wanted.fields), "", spelling)  # type: ignore[arg-type]
    return Loaded(Relation(settings.name, _within(frame, start, end), claims), (*notes, *titles))


def from_path(path: Path, name: str) -> Loaded:
    """The bars of a file or of all files of a folder, read by their headers.

    Files of a folder that hold no bars are left out and named. Raises UsageError for a path that does not
    exist, CheckFailed for headers that nobody knows.
    """
    files = _files(path)
    groups: dict[tuple[tuple[str, ...], Adjustment, bool], list[pl.DataFrame]] = {}
    strange: list[tuple[str, list[str]]] = []
    for file in files:
        rows, said = _rows_of(file, name)
        by_file = all(f.name != "code" for f in fields_of(tuple(rows.columns)))
        if not known_headers(tuple(rows.columns)):
            strange.append((file.name, rows.columns))
            continue
        if by_file:
            rows = rows.with_columns(pl.lit(_code_of(file)).alias("code"))
        groups.setdefault((tuple(rows.columns), said, by_file), []).append(rows)
    if not groups:
        raise CheckFailed(
            "audit.headers",
            f"the columns of {strange[0][0]} say neither date nor price",
            expected="headers as vendors write them, as date, open, high, low, close, volume",
            found=", ".join(strange[0][1][:12]),
            hint="describe the file in a source spec and name it with --spec-a or --spec-b",
        )
    parts = [_group(columns, said, by_file, rows, name) for (columns, said, by_file), rows in groups.items()]
    frame = pl.concat([part.relation.frame for part in parts], how="diagonal_relaxed")
    claims = {part.relation.claims.adjustment for part in parts}
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    left_out = [f"{file} of {name} holds no bars and is left out" for file, _ in strange]
    relation = Relation(name, frame, Claims(claims.pop() if len(claims) == 1 else "unknown"))
    return Loaded(relation, (*notes, *left_out[:_SHOWN]), len(files) == 1 and parts[0].named_by_file)


def _declared(
    settings: SourceSettings, wanted: DatasetSettings, rows: pl.DataFrame
) -> tuple[FieldSettings, ...]:
    if not wanted.fields:
        return tuple(FieldSettings(name, name) for name in rows.columns)
    fields = wanted.fields
    factors = settings.datasets.get("adjustment_factors")
    if wanted.dataset == "bars_1d" and factors is not None and factors.endpoint == wanted.endpoint:
        known = {f.name for f in fields}
        fields += tuple(f for f in factors.fields if f.name == "factor" and f.name not in known)
    if all(f.name != "code" for f in fields) and "code" in rows.columns:
        fields += (FieldSettings("code", "code"),)
    return tuple(f for f in fields if f.column in rows.columns)


def _whole_spec(
    name: str, wanted: DatasetSettings, fields: Sequence[FieldSettings], rows: pl.DataFrame
) -> None:
    """A column that a spec names and no file has is a mistake in the spec, not a column without values."""
    found = {f.column for f in fields}
    lacking = [f for f in wanted.fields if f.column not in found and f.name in _CORE]
    if lacking and rows.width:
        raise CheckFailed(
            "audit.column",
            f"the files of {name} have no column {lacking[0].column} for {lacking[0].name}",
            expected=f"the columns that its spec names for {', '.join(f.name for f in wanted.fields[:8])}",
            found=", ".join(rows.columns[:12]),
            hint="correct the spec",
        )


def _titles(frame: pl.DataFrame) -> set[str]:
    """What a file's own title says of its adjustment."""
    if "claimed_adjustment" not in frame.columns or not frame.height:
        return set()
    said = frame["claimed_adjustment"][0]
    return {f"the title of {frame['code'][0]} says {said}-adjusted"} if said else set()


def _rows_of(path: Path, name: str) -> tuple[pl.DataFrame, Adjustment]:
    """The columns of a file as they are, and what its title or name says of the adjustment."""
    settings = sniffed(path)
    reader = FilesSource(SourceSettings(name, "files", root=path.parent, datasets={"bars_1d": settings}))
    rows = plain_headers(reader.parse(payload(path)))
    title = rows["claimed_adjustment"][0] if "claimed_adjustment" in rows.columns and rows.height else None
    return _long(rows), title or _said_by_name(path)


def _group(
    columns: Sequence[str], said: Adjustment, by_file: bool, rows: Sequence[pl.DataFrame], name: str
) -> Loaded:
    """Files of the same columns as one relation."""
    fields = fields_of(tuple(columns))
    plain = ("one", "yuan", "shares")
    assumed = [f"{f.column} of {name} is read in {f.unit}" for f in fields if f.unit not in plain]
    if by_file and all(f.name != "code" for f in fields):
        fields += (FieldSettings("code", "code"),)
    whole = pl.concat(rows, how="vertical_relaxed") if len(rows) > 1 else rows[0]
    frame, more = typed(whole, fields, "bars_1d", name)
    return Loaded(Relation(name, frame, Claims(said)), (*assumed, *more), by_file)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and _readable(p))
    else:
        found = [path] if path.is_file() else sorted(path.parent.glob(path.name))
    if not found:
        raise UsageError(
            "audit.file",
            f"there is no data file {path}",
            expected="a file, a folder or a pattern",
            found=str(path),
        )
    return found


def _readable(path: Path) -> bool:
    plain = path.name.lower().removesuffix(".gz").removesuffix(".zip")
    suffix = Path(plain).suffix
    return suffix in FORMATS or (suffix in TEXT and suffix != "" and not plain.startswith("readme"))


def _said_by_name(path: Path) -> Adjustment:
    """What the names of the file and its folders say of the adjustment."""
    for part in (path.name, path.parent.name, path.parent.parent.name):
        found = [said for said, pattern in _SAID if re.search(pattern, part.lower())]
        if found:
            return found[0] if len(found) == 1 else "unknown"
    return "unknown"


def _code_of(path: Path) -> str:
    """The code in a file's name, or the name itself."""
    stem = path.name.removesuffix(".gz").removesuffix(".zip")
    for ending in (".csv", ".txt", ".tsv", *FORMATS):
        stem = stem.split(ending)[0]
    for pattern in (r"(?i)(?:sh|sz|bj)[.#_]?\d{6}", r"(?i)\d{6}[.#_](?:sh|sz|bj|xshg|xshe|ss)", r"\d{6}"):
        found = re.search(pattern, stem)
        if found:
            return found[0].replace("#", "").replace("_", ".")
    return stem.upper()


def _long(rows: pl.DataFrame) -> pl.DataFrame:
    """A matrix of closes, one column an instrument, as rows."""
    if not is_wide(rows.columns):
        return rows
    first, *rest = rows.columns
    codes = [name for name in rest if is_instrument(name)]
    long = rows.select(first, *codes).unpivot(on=codes, index=first, variable_name="code", value_name="close")
    return long.rename({first: "date"}).filter(pl.col("close").cast(pl.String).str.strip_chars() != "")


def typed(
    rows: pl.DataFrame, fields: Iterable[FieldSettings], dataset: str, name: str
) -> tuple[pl.DataFrame, list[str]]:
    """Our columns: codes as 600519.SH where they are codes, dates, and floats in shares and yuan."""
    target = contract(dataset)
    columns: list[pl.Series] = []
    notes: list[str] = []
    for each in fields:
        if each.column not in rows.columns:
            continue
        dtype = _dtype(each.name, target.schema.get(each.name))
        given = rows[each.column]
        if each.name == "code":
            columns.append(_codes(given, each))
        elif dtype == pl.Date:
            columns.append(_dates(given, each))
        else:
            read = convert(_grouped(given) if dtype.is_float() else given, each, dtype)
            columns.append(read.values)
            if lame := int(read.unreadable.sum()):
                notes.append(f"{lame} values of {each.column} of {name} cannot be read")
    frame = pl.DataFrame(columns)
    keys = [key for key in ("code", "session", target.time) if key and key in frame.columns]
    whole = frame.drop_nulls(keys)
    lost = frame.height - whole.height
    prices = [n for n in whole.columns if n in NUMBERS]
    if prices and "session" in whole.columns:
        whole = whole.filter(~pl.all_horizontal(pl.col(prices).is_null()))
    if lost:
        notes.append(f"{lost} rows of {name} have no code or date and are left out")
    return whole, notes


def _grouped(column: pl.Series) -> pl.Series:
    """Numbers written as 1,234,567.8 without the commas; other texts stay as they are."""
    if column.dtype != pl.String:
        return column
    grouped = column.str.strip_chars().str.contains(_GROUPED)
    if not grouped.any():
        return column
    return (
        column.to_frame("x")
        .select(pl.when(grouped).then(pl.col("x").str.replace_all(",", "")).otherwise("x"))
        .to_series()
    )


def _dtype(name: str, known: pl.DataType | None) -> pl.DataType:
    if name in FLAGS:
        return pl.Boolean()
    if name in (*NUMBERS, "bonus_only_ratio") or (known is not None and known.is_numeric()):
        return pl.Float64()
    return known or pl.String()


def _dates(column: pl.Series, each: FieldSettings) -> pl.Series:
    found = convert(column, each, pl.Date()).values
    if each.format is None and found.null_count() > column.null_count():
        column = column.cast(pl.String)
        for form in _AMERICAN:
            tried = column.str.strip_chars().str.to_datetime(form, strict=False).dt.date()
            if tried.null_count() < found.null_count():
                found = tried
    return found.alias(each.name)


def _codes(column: pl.Series, each: FieldSettings) -> pl.Series:
    text = column.cast(pl.String).str.strip_chars()
    if each.values:
        text = text.replace(dict(each.values))
    spelled = {one: read_code(one) or one.upper() for one in text.unique().to_list() if one}
    return text.replace_strict(spelled, default=None, return_dtype=pl.String).alias("code")


def _within(frame: pl.DataFrame, start: date | None, end: date | None) -> pl.DataFrame:
    if "session" not in frame.columns:
        return frame
    if start is not None:
        frame = frame.filter(pl.col("session") >= start)
    return frame if end is None else frame.filter(pl.col("session") <= end)
