"""What a dataset of files says of its files: options that mean nothing for their format, or contradict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from quant.core.errors import SpecError

if TYPE_CHECKING:
    from quant.specs.document import Marks
    from quant.specs.schema.files import FileDataset

_TEXT: Final = ("csv",)
_MEANT_FOR: Final = {
    "skip_rows": _TEXT,
    "footer_rows": _TEXT,
    "comment": _TEXT,
    "header": _TEXT,
    "names": _TEXT,
    "price_decimals": ("tdx_day", "tdx_minute"),
    "key": ("hdf5",),
    "where": ("json_lines",),
    "encoding": ("csv", "tdx_text", "json_lines"),
    "delimiter": _TEXT,
}
_WITHIN_A_DAY: Final = ("bars_1m", "bars_5m", "bars_1h", "ticks", "funding_rates")


def check_files(name: str, dataset: FileDataset, marks: Marks) -> Iterator[SpecError]:
    """The faults of the options of one dataset."""
    base = ("datasets", name)
    given = dataset.model_fields_set
    for option, formats in _MEANT_FOR.items():
        if option in given and dataset.format not in formats:
            yield SpecError(
                "spec.contradiction",
                f"{option} says nothing of files in format {dataset.format}",
                where=marks.key((*base, option)),
                expected=f"format: {' or '.join(formats)}",
                found=f"format: {dataset.format}",
                hint=f"leave {option} out",
            )
    for option in ("stamp", "date_is", "max_jump"):
        if option in given and name not in _WITHIN_A_DAY:
            yield SpecError(
                "spec.contradiction",
                f"{option} says nothing of {name}",
                where=marks.key((*base, option)),
                expected=", ".join(_WITHIN_A_DAY),
                found=name,
                hint=f"leave {option} out",
            )
    if not dataset.header and not dataset.names:
        yield SpecError(
            "spec.missing_key",
            "files without a header need the names of their columns",
            where=marks.key((*base, "header")),
            expected="names: [date, open, high, …]",
        )
    if dataset.header and dataset.names:
        yield SpecError(
            "spec.contradiction",
            "the first line names the columns, or names does, not both",
            where=marks.key((*base, "names")),
            expected="header: false, or no names",
            found="header: true",
        )
    if dataset.name is not None and "{" not in dataset.name:
        yield SpecError(
            "spec.value",
            "a form of file names has parts that become columns",
            where=marks.value((*base, "name")),
            expected="{date}_{code}_*.csv",
            found=dataset.name,
        )
