"""What must hold inside a source: roots, columns, adjustment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from quant.core.errors import Location, SpecError
from quant.core.market.calendar import calendar
from quant.core.market.statements import BASICS, ITEMS
from quant.specs.document import Marks
from quant.specs.lint.files import check_files
from quant.specs.registry import Registry
from quant.specs.schema import FilesSource, SimulatedSource, SourceSpec, VendorSource
from quant.specs.schema.files import FileDataset
from quant.specs.schema.vendors import VendorDataset, VendorPart

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "instruments": ("code",),
    "instrument_attributes": ("code", "attribute", "value", "from_session"),
    "bars_1d": ("code", "session", "open", "high", "low", "close", "volume"),
    "adjustment_factors": ("code", "session", "factor"),
    "corporate_actions": ("code", "ex_session"),
    "daily_basics": ("code", "session"),
    "fundamentals": ("code", "period_end", "announced"),
    "index_members": ("index_code", "code", "from_session"),
    "index_weights": ("index_code", "code", "session", "weight"),
    **dict.fromkeys(
        ("bars_1m", "bars_5m", "bars_1h"), ("code", "ts", "open", "high", "low", "close", "volume")
    ),
    "ticks": ("code", "ts", "price"),
    "funding_rates": ("code", "ts", "rate"),
}
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "instruments": ("name", "board", "list_date", "delist_date", "currency"),
    "instrument_attributes": ("to_session",),
    "bars_1d": (
        "pre_close",
        "limit_up",
        "limit_down",
        "amount",
        "suspended",
        "st",
        "delisting",
        "no_limit",
        "factor",
    ),
    "adjustment_factors": (),
    "corporate_actions": (
        *("record_session", "pay_session", "cash_per_share", "bonus_ratio", "bonus_only_ratio"),
        *("conversion_ratio", "rights_ratio", "rights_price"),
        "kind",
        "announced",
    ),
    "daily_basics": tuple(BASICS),
    "fundamentals": ("first_announced", "report", "item", "value", "update_flag", *ITEMS),
    "index_members": ("to_session",),
    "index_weights": (),
    **dict.fromkeys(
        ("bars_1m", "bars_5m", "bars_1h"), ("session", "date", "time", "amount", "open_interest")
    ),
    "ticks": (
        *("session", "date", "time", "trade_id", "cumulative_volume", "cumulative_amount"),
        *("seq", "volume", "amount", "open_interest", "bid", "ask", "bid_size", "ask_size"),
        "side",
    ),
    "funding_rates": ("session", "date", "time"),
}


def check_source(registry: Registry, model: SourceSpec, marks: Marks) -> Iterator[SpecError]:  # noqa: ARG001
    """The faults of one source."""
    if isinstance(model, SimulatedSource):
        yield from _simulated(model, marks)
    if isinstance(model, FilesSource):
        if model.root is None and model.root_env is None:
            yield SpecError(
                "spec.missing_key",
                "the key root is missing",
                where=marks.start,
                expected="root: FOLDER, or root_env: VARIABLE",
            )
        for name, dataset in model.datasets.items():
            yield from _dataset(name, dataset, marks)
    if isinstance(model, VendorSource):
        yield from _vendor(model, marks)


def _vendor(model: VendorSource, marks: Marks) -> Iterator[SpecError]:
    url = model.options.url
    if url is not None and not url.startswith(("http://", "https://")):
        yield SpecError(
            "spec.value",
            "not the address of a service",
            where=marks.value(("options", "url")),
            expected="http://… or https://…",
            found=url,
        )
    if url is not None and "@" in url.partition("//")[2].partition("/")[0]:
        yield SpecError(
            "spec.secret",
            "the address holds a credential",
            where=marks.value(("options", "url")),
            expected="an address without user and password",
            found="(not shown)",
            hint="declare it as secret: keyring://service/name",
        )
    for name, dataset in model.datasets.items():
        yield from _dataset(name, dataset, marks)
        seen = {column.as_ for column in dataset.fields.values()}
        for i, part in enumerate(dataset.with_):
            yield from _vendor_part(name, dataset, part, seen, marks, ("datasets", name, "with", i))


def _vendor_part(
    name: str,
    dataset: VendorDataset,
    part: VendorPart,
    seen: set[str],
    marks: Marks,
    base: tuple[str | int, ...],
) -> Iterator[SpecError]:
    """A part brings the columns it is joined on, and at least one more that nobody else brings."""
    keys = {"code"} if part.how == "spell" else set(part.on)
    if part.how == "append":
        keys = set(REQUIRED[name])
    spell = {"from_session", "to_session"} if part.how == "spell" else set()
    own = [column.as_ for column in part.fields.values()]
    if part.endpoint == dataset.endpoint:
        yield SpecError(
            "spec.duplicate",
            "a part asks the dataset's own endpoint",
            where=marks.value((*base, "endpoint")),
            found=part.endpoint,
        )
    for missing in sorted((keys | (spell & {"from_session"})) - set(own)):
        yield SpecError(
            "spec.missing_key",
            f"no column of {part.endpoint} becomes {missing!r}, on which it is joined",
            where=marks.key((*base, "fields")),
            expected=f"HEADER: {{as: {missing}}}",
        )
    for header, column in part.fields.items():
        where = marks.value((*base, "fields", header, "as"))
        if column.as_ in keys | spell or (part.how == "append" and column.as_ in seen):
            continue
        known = (*REQUIRED[name], *OPTIONAL[name])
        if column.as_ not in known:
            yield _no_column(name, column.as_, known, where)
        elif column.as_ in seen:
            yield SpecError(
                "spec.duplicate",
                f"two vendor columns become {column.as_!r}",
                where=where,
                found=header,
            )
        seen.add(column.as_)


def _simulated(model: SimulatedSource, marks: Marks) -> Iterator[SpecError]:
    dates, start = calendar("XSHG"), model.params.start
    if start is not None and not dates.first <= start <= dates.last:
        yield SpecError(
            "spec.range",
            f"the calendar does not cover {start}",
            where=marks.value(("params", "start")),
            expected=f"{dates.first} to {dates.last}",
            found=str(start),
        )


def _no_column(name: str, found: str, known: tuple[str, ...], where: Location) -> SpecError:
    near = get_close_matches(found, known, n=1)
    return SpecError(
        "spec.reference",
        f"{name} has no column {found!r}",
        where=where,
        found=found,
        expected=", ".join(known),
        hint=f"did you mean {near[0]}?" if near else None,
    )


def _dataset(name: str, dataset: FileDataset | VendorDataset, marks: Marks) -> Iterator[SpecError]:
    base = ("datasets", name)
    known = (*REQUIRED[name], *OPTIONAL[name])
    code_from = dataset.code_from if isinstance(dataset, FileDataset) else "column"
    seen: dict[str, str] = {}
    for header, column in dataset.fields.items():
        where = marks.value((*base, "fields", header, "as"))
        if column.as_ not in known:
            yield _no_column(name, column.as_, known, where)
        elif column.as_ in seen:
            yield SpecError(
                "spec.duplicate",
                f"two vendor columns become {column.as_!r}",
                where=where,
                found=header,
                hint=f"the first is {seen[column.as_]!r}",
            )
        seen.setdefault(column.as_, header)
    given = {*seen, *(("ts",) if {"date", "time"} <= set(seen) else ())}
    missing = [c for c in REQUIRED[name] if c not in given and not (c == "code" and code_from == "file_name")]
    if isinstance(dataset, FileDataset):
        yield from check_files(name, dataset, marks)
    for column_name in missing:
        yield SpecError(
            "spec.missing_key",
            f"no vendor column becomes {column_name!r}",
            where=marks.key((*base, "fields")),
            expected=f"HEADER: {{as: {column_name}}}",
        )
    if name == "bars_1d" and dataset.adjustment != "none" and "factor" not in seen:
        yield SpecError(
            "spec.contradiction",
            "adjusted prices need their factor to be turned back into traded ones",
            where=marks.value((*base, "adjustment")),
            expected="none, or a vendor column read as factor",
            found=dataset.adjustment,
            hint="use the vendor's unadjusted prices, or add HEADER: {as: factor}",
        )
