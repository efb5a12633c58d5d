"""Numbers, dates and codes as people and vendors write them, made plain before they are read.

Nothing here guesses: a text that fits no known habit is left as it is, and is then unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

_ODD: Final = r"[^0-9+\-.]"
_GROUPED: Final = r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?$"
_NEGATIVE: Final = r"^\((.*)\)$"
_LARGE: Final = {"万": "10000", "亿": "100000000", "万亿": "1000000000000", "%": "0.01", "‰": "0.001"}
_SCALE: Final = pl.Decimal(24, 6)


@dataclass(frozen=True, slots=True)
class PlainNumbers:
    """``text`` without separators and signs of other scripts; ``scale`` what the sign behind a number (%, 万,
    亿) multiplies it by, None where no row has one; ``percent`` where it was a percent sign.
    """

    text: pl.Series
    scale: pl.Series | None
    percent: pl.Series | None


def ascii_form(text: pl.Series) -> pl.Series:
    """Full-width letters, digits and signs as the plain ones; only rows that have any are changed."""
    if (text.str.len_bytes() == text.str.len_chars()).all():
        return text
    return text.str.normalize("NFKC").str.replace_all("\ufeff", "", literal=True).str.strip_chars()


def plain_numbers(text: pl.Series) -> PlainNumbers:
    """Numbers without thousands separators, accountants' brackets, percent signs and 万 or 亿."""
    if not text.str.contains(_ODD).any():
        return PlainNumbers(text, None, None)
    frame = ascii_form(text).alias("text").to_frame()
    sign = pl.col("text").str.extract(r"\d\s*(万亿|万|亿|%|‰)$")
    frame = frame.with_columns(sign=sign)
    cut = pl.when(pl.col("sign").is_not_null()).then(
        pl.col("text").str.replace(r"\s*(万亿|万|亿|%|‰)$", "")
    ).otherwise("text")  # fmt: skip
    bare = cut.str.replace(_NEGATIVE, "-$1")
    grouped = pl.when(bare.str.contains(_GROUPED)).then(bare.str.replace_all(",", "", literal=True))
    done = frame.select(
        grouped.otherwise(bare).alias("text"),
        pl.col("sign")
        .replace_strict(_LARGE, default=None, return_dtype=pl.String)
        .cast(_SCALE)
        .alias("scale"),
        pl.col("sign").is_in(["%", "‰"]).fill_null(value=False).alias("percent"),
    )
    scaled = done["scale"].null_count() < done.height
    return PlainNumbers(
        done["text"].alias(text.name),
        done["scale"] if scaled else None,
        done["percent"] if scaled else None,
    )


def plain_codes(text: pl.Series) -> pl.Series:
    """Codes without what spreadsheets and floats leave around them: ="000001", '000001, 600519.0."""
    return (
        ascii_form(text)
        .str.strip_chars()
        .str.replace(r'^="?([^"]*)"?$', "$1")
        .str.strip_prefix("'")
        .str.replace(r"^(\d{1,6})\.0$", "$1")
    )


def plain_headers(frame: pl.DataFrame) -> pl.DataFrame:
    """Column names without byte order marks, quotes and blanks around them."""
    named = {name: name.replace("\ufeff", "").strip().strip('"').strip() for name in frame.columns}
    changed = {old: new for old, new in named.items() if old != new}
    if not changed or len(set(named.values())) != len(named):
        return frame
    return frame.rename(changed)
