"""What ``quant data audit --files`` is given: a source spec, a library source over a path, or a bare file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from quant.core.errors import CheckFailed, SpecError, SpecErrors, UsageError
from quant.core.market.calendar import calendar
from quant.pipelines.sources import source_settings
from quant.specs.document import Document
from quant.specs.loader import Loaded as Documents
from quant.specs.loader import read_file, read_library
from quant.specs.schema import FilesSource, SourceSpec
from quant.specs.validate import validate
from quant.warehouse.audit.compare import (
    AuditReport,
    Instruments,
    Listing,
    Relation,
    Request,
    compare,
)
from quant.warehouse.audit.compare.records import compare_records
from quant.warehouse.audit.compare.relation import days_of
from quant.warehouse.audit.vendor_files import Loaded, from_path, from_source
from quant.warehouse.contracts.tables import contract, datasets
from quant.warehouse.sources.settings import SourceSettings

_SPECS = (".yaml", ".yml", ".toml")
_SINCE_2025 = "920"
_TOGETHER = 0.9
_FEWEST = 8
_WITHIN = 4
_MANY = 200_000
_CODES = 50
_PACES = ((20.0, "monthly"), (5.0, "weekly"), (0.0, "daily"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Input:
    """One side: a source by its settings, or a path that is read by its headers."""

    name: str
    settings: SourceSettings | None = None
    path: Path | None = None

    def offers(self) -> tuple[str, ...]:
        """The datasets it can be asked for, in the order of the tables."""
        if self.settings is None:
            return ("bars_1d",)
        own = self.settings.datasets
        return tuple(table.name for table in datasets() if not own or table.name in own)

    def load(self, dataset: str, start: date | None, end: date | None) -> Loaded:
        if self.settings is None:
            assert self.path is not None
            return from_path(self.path, self.name)
        return from_source(self.settings, dataset, start=start, end=end)


def read_input(text: str, spec: str | None = None) -> Input:
    """``text`` is a spec file (``spec.yaml``, ``spec.yaml:name`` where it has several sources), or data: then
    ``spec`` names a spec file or a source of the library that describes it, or its headers do.
    """
    path, name = _split(text)
    if spec is None and path.suffix in _SPECS:
        chosen, folder = _source(path, name)
        return Input(chosen.name, source_settings(chosen, folder))
    data = Path(text)
    if spec is None:
        return Input(_short(data), path=data)
    place, name = _split(spec)
    chosen, _ = _source(place, name) if place.suffix in _SPECS else (_library(spec), None)
    if not isinstance(chosen, FilesSource):
        raise UsageError(
            "audit.spec",
            f"source {chosen.name} is no source of files",
            expected="a source with provider: files",
            found=spec,
        )
    return Input(_short(data), _over(chosen, data))


def compare_inputs(
    a: Input, b: Input, tables: Sequence[str], start: date | None, end: date | None
) -> list[AuditReport]:
    """Every dataset that both offer, or the named ones."""
    both = [name for name in a.offers() if name in b.offers()]
    wanted = list(tables or _main(both))
    missing = next((name for name in wanted if name not in both), None)
    if missing is not None or not wanted:
        raise UsageError(
            "audit.table",
            f"{a.name} and {b.name} do not both have {missing or 'a table'}",
            expected=", ".join(both) or "a table that both have",
            found=f"{a.name}: {', '.join(a.offers())}; {b.name}: {', '.join(b.offers())}",
        )
    return [
        _compare(table, a.load(table, start, end), b.load(table, start, end), start, end) for table in wanted
    ]


def _main(both: Sequence[str]) -> Sequence[str]:
    """Bars bring their factors along; what only names instruments is not worth a report of its own."""
    if "bars_1d" in both:
        return [name for name in both if name not in ("instruments", "instrument_attributes")]
    return both


def _compare(table: str, one: Loaded, two: Loaded, start: date | None, end: date | None) -> AuditReport:
    a, b = one.relation, two.relation
    if a.name == b.name:
        a, b = replace(a, name=f"{a.name} (a)"), replace(b, name=f"{b.name} (b)")
    notes = [*one.notes, *two.notes]
    for side, relation in (("a", a), ("b", b)):
        if not relation.frame.height:
            raise UsageError(
                "audit.empty", f"{relation.name} has no rows of {table}", found=f"side {side}",
                expected="rows with a code and a date",
            )  # fmt: skip
    a, b = _within(a, start, end), _within(b, start, end)
    _same_pace(a, b)
    if (one.named_by_file or two.named_by_file) and "code" in a.frame.columns:
        b, note = _same_instrument(a, b)
        notes += note
    b, renumbered = _same_numbers(a, b)
    notes += renumbered
    request = Request(table, listing=_listing(a, b), stamp=_EPOCH, audit="files")
    if contract(table).key == ("instrument_id", "session"):
        report = compare(a, b, request)
    else:
        keys = pl.concat([a.frame["code"], b.frame["code"]])
        report = compare_records(a, b, contract(table), Instruments.of(keys), request)
    if not report.rows[0]["matched"]:
        raise CheckFailed(
            "audit.nothing",
            f"{a.name} and {b.name} have no row of {table} in common",
            expected="rows of equal code and date",
            found=f"{_span(a.frame)}; {_span(b.frame)}",
        )
    return replace(report, alignment=(*notes, *report.alignment))


def _same_pace(a: Relation, b: Relation) -> None:
    """Bars of a day against bars of minutes or weeks are another thing, not thousands of mistakes."""
    if not {"code", "session"} <= set(a.frame.columns) & set(b.frame.columns):
        return
    paces = [_pace(side.frame) for side in (a, b)]
    if all(paces) and paces[0] != paces[1]:
        raise CheckFailed(
            "audit.pace",
            f"{a.name} holds {paces[0]} bars, {b.name} {paces[1]} ones",
            expected="bars of one length on both sides",
            found=f"{a.frame.height:,} and {b.frame.height:,} rows",
            hint="compare the day bars of both",
        )


def _pace(frame: pl.DataFrame) -> str:
    """Intraday, daily, weekly or monthly bars; "" where there are too few to say."""
    if frame.height > _MANY:
        some = frame["code"].unique().sort().head(_CODES)
        frame = frame.filter(pl.col("code").is_in(some.implode()))
    days = frame.group_by("code", "session").len().sort("code", "session")
    if days.height < _FEWEST:
        return ""
    if float(days["len"].median()) >= _WITHIN:  # type: ignore[arg-type]
        return "intraday"
    step = days.select(pl.col("session").diff().over("code").dt.total_days()).to_series().median()
    if step is None:
        return ""
    return next(name for least, name in _PACES if float(step) >= least)  # type: ignore[arg-type]


def _same_numbers(a: Relation, b: Relation) -> tuple[Relation, list[str]]:
    """Beijing's stocks of which one side writes the former number and the other the one they have had since
    2025: the same last three digits, and returns that say the same.
    """
    if not {"code", "session", "close"} <= set(a.frame.columns) & set(b.frame.columns):
        return b, []
    ours, theirs = (set(x.frame["code"].drop_nulls().unique().to_list()) for x in (a, b))
    renamed: dict[str, str] = {}
    for code in sorted(c for c in ours - theirs if c.endswith(".BJ")):
        like = [
            c for c in theirs - ours
            if c[3:] == code[3:] and c.startswith(_SINCE_2025) != code.startswith(_SINCE_2025)
        ]  # fmt: skip
        if len(like) == 1 and _same_returns(a.frame, code, b.frame, like[0]):
            renamed[like[0]] = code
    if not renamed:
        return b, []
    frame = b.frame.with_columns(pl.col("code").replace(renamed))
    return replace(b, frame=frame), [
        f"{there} of {b.name} is {here} of {a.name} under its other number" for there, here in renamed.items()
    ]


def _same_returns(one: pl.DataFrame, code: str, two: pl.DataFrame, other: str) -> bool:
    closes = one.filter(pl.col("code") == code).select("session", "close").join(
        two.filter(pl.col("code") == other).select("session", there="close"), on="session"
    )  # fmt: skip
    moves = closes.sort("session").select(pl.all().exclude("session").cast(pl.Float64).pct_change())
    together = moves.drop_nulls().select(pl.corr("close", "there")).item() if closes.height > 2 else None
    return together is not None and together > _TOGETHER


def _span(frame: pl.DataFrame) -> str:
    """Codes and dates of a relation, in a few words."""
    if not frame.height:
        return "no rows within the dates asked for"
    codes = frame["code"].unique().sort().to_list()
    shown = ", ".join(str(code) for code in codes[:3]) + (
        f" and {len(codes) - 3} more" if len(codes) > 3 else ""
    )
    if "session" not in frame.columns:
        return shown
    first, last = (str(day) for day in (frame["session"].min(), frame["session"].max()))
    return f"{shown} from {first} to {last}"


def _same_instrument(a: Relation, b: Relation) -> tuple[Relation, list[str]]:
    """Two files of one instrument each, of which one does not say which: they are taken for the same."""
    ours, theirs = a.frame["code"].unique().to_list(), b.frame["code"].unique().to_list()
    if len(ours) != 1 or len(theirs) != 1 or ours == theirs:
        return b, []
    frame = b.frame.with_columns(pl.lit(ours[0]).alias("code"))
    return replace(b, frame=frame), [f"{theirs[0]} of {b.name} is taken for {ours[0]} of {a.name}"]


def _within(relation: Relation, start: date | None, end: date | None) -> Relation:
    frame = relation.frame
    if "session" in frame.columns and (start or end):
        frame = frame.filter(pl.col("session").is_between(start or date.min, end or date.max))
    return replace(relation, frame=frame)


def _listing(a: Relation, b: Relation) -> Listing:
    """The sessions of the exchange where the codes are Chinese."""
    codes = {code.rpartition(".")[2] for code in a.frame["code"].unique().to_list() if code}
    if not codes or not codes <= {"SH", "SZ", "BJ"} or "session" not in b.frame.columns:
        return Listing()
    days = calendar("XSHG")
    return Listing(
        None, tuple(days_of(pl.Series(days.sessions(days.first, days.last), dtype=pl.Date)).tolist())
    )


def _split(text: str) -> tuple[Path, str | None]:
    head, colon, name = text.rpartition(":")
    if colon and Path(head).suffix in _SPECS:
        return Path(head), name
    return Path(text), None


def _source(path: Path, name: str | None) -> tuple[SourceSpec, Path]:
    """The source of a spec file; its relative root lies beside the file."""
    loaded = Documents()
    read_file(path, str(path), loaded)
    if loaded.errors:
        raise SpecErrors(loaded.errors)
    found = [d for d in loaded.documents if d.kind == "source" and name in (None, d.name)]
    if len(found) != 1:
        raise UsageError(
            "audit.spec",
            f"{path} holds {len(found)} sources" + (f" called {name}" if name else ""),
            expected=f"one source, or {path}:NAME",
            found=", ".join(d.name for d in loaded.documents if d.kind == "source") or "none",
        )
    return _validated(found[0]), path.resolve().parent


def _library(name: str) -> SourceSpec:
    """A source of the shipped library."""
    documents = [d for d in read_library().documents if d.kind == "source"]
    found = next((d for d in documents if d.name == name), None)
    if found is None:
        raise UsageError(
            "audit.spec",
            f"there is no source {name!r} in the library",
            expected=", ".join(sorted(d.name for d in documents)) + ", or a spec file",
            found=name,
        )
    return _validated(found)


def _validated(document: Document) -> SourceSpec:
    model, faults = validate("source", document.tree, document.marks)
    if faults:
        raise SpecErrors(faults)
    if not isinstance(model, SourceSpec):
        raise SpecError("audit.spec", "not a source", where=document.marks.start)
    return model


def _over(spec: FilesSource, data: Path) -> SourceSettings:
    """A source of files read from another folder, or from one file."""
    folder = data if data.is_dir() else data.parent
    settings = source_settings(spec.model_copy(update={"root": str(folder), "root_env": None}), folder)
    settings = replace(settings, root=folder, name=_short(data))
    if data.is_dir():
        own = {name: replace(each, endpoint=_inside(each.endpoint, data))
               for name, each in settings.datasets.items()}  # fmt: skip
        return replace(settings, datasets=own)
    bars = {"bars_1d": replace(settings.datasets["bars_1d"], endpoint=data.name)}
    if "adjustment_factors" in settings.datasets:
        bars["adjustment_factors"] = replace(settings.datasets["adjustment_factors"], endpoint=data.name)
    return replace(settings, datasets=bars)


def _inside(pattern: str, folder: Path) -> str:
    """A pattern below a folder, also where that folder is the one that the pattern begins with."""
    first, slash, rest = pattern.partition("/")
    return rest if slash and first == folder.name and not any(folder.glob(pattern)) else pattern


def _short(path: Path) -> str:
    """A name for a path: its last part, with the folder where that alone says little."""
    stem = path.name.split(".csv")[0].split(".parquet")[0].split(".txt")[0]
    parts = list(_meaningful(path.parent))
    return f"{parts[0]}/{stem}" if parts and path.is_file() else stem


def _meaningful(folder: Path) -> Iterator[str]:
    if folder.name not in ("", ".", ".."):
        yield folder.name
