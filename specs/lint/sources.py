"""What must hold inside a source: roots, columns, adjustment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from quant.core.errors import SpecError
from quant.core.market.calendar import calendar
from quant.specs.document import Marks
from quant.specs.registry import Registry
from quant.specs.schema import FilesSource, SimulatedSource, SourceSpec
from quant.specs.schema.files import FileDataset

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "instruments": ("code",),
    "instrument_attributes": ("code", "attribute", "value", "from_session"),
    "bars_1d": ("code", "session", "open", "high", "low", "close", "volume"),
    "adjustment_factors": ("code", "session", "factor"),
    "corporate_actions": ("code", "ex_session"),
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
        "record_session",
        "pay_session",
        "cash_per_share",
        "bonus_ratio",
        "kind",
        "announced",
    ),
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


def _dataset(name: str, dataset: FileDataset, marks: Marks) -> Iterator[SpecError]:
    base = ("datasets", name)
    known = (*REQUIRED[name], *OPTIONAL[name])
    seen: dict[str, str] = {}
    for header, column in dataset.fields.items():
        where = marks.value((*base, "fields", header, "as"))
        if column.as_ not in known:
            near = get_close_matches(column.as_, known, n=1)
            yield SpecError(
                "spec.reference",
                f"{name} has no column {column.as_!r}",
                where=where,
                found=column.as_,
                expected=", ".join(known),
                hint=f"did you mean {near[0]}?" if near else None,
            )
        elif column.as_ in seen:
            yield SpecError(
                "spec.duplicate",
                f"two vendor columns become {column.as_!r}",
                where=where,
                found=header,
                hint=f"the first is {seen[column.as_]!r}",
            )
        seen.setdefault(column.as_, header)
    missing = [
        c for c in REQUIRED[name] if c not in seen and not (c == "code" and dataset.code_from == "file_name")
    ]
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
