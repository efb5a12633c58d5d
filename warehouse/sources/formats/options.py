"""What a source spec says of its files beyond their format, and what a reader cannot make sense of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

MAX_UNPACKED: Final = 2 << 30
"""Bytes that one file may unpack to: a bomb must not fill the memory."""


class Unreadable(Exception):
    """The bytes are not what the format says; the text tells where and why."""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """Options of the files of one dataset.

    ``skip_rows`` and ``footer_rows`` are lines before the header and after the data; ``comment`` starts lines
    that are none; ``header`` False: the columns are ``names``, in order. ``prefix`` is cut from column names.
    ``constants`` are columns that every row has. ``name`` is a pattern of file names, as ``{date}_{code}_*``,
    whose parts become columns. ``extract`` keeps the first group of a pattern of a column's text, ``divide``
    is what a column's whole numbers are multiplied by. ``price_decimals`` is the scale of TDX's whole prices.
    ``key`` is the pattern of data sets (HDF5), ``members`` of files in archives, ``where`` keeps records
    with these values (JSON lines).
    """

    skip_rows: int = 0
    footer_rows: int = 0
    comment: str | None = None
    header: bool = True
    names: tuple[str, ...] = ()
    prefix: str = ""
    constants: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    extract: Mapping[str, str] = field(default_factory=dict)
    divide: Mapping[str, int] = field(default_factory=dict)
    price_decimals: int = 2
    key: str = "**"
    members: str = "*"
    where: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, params: Mapping[str, object]) -> FileOptions:
        """Options from a dataset's params; others are not ours."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in params.items() if name in known})  # type: ignore[arg-type]
