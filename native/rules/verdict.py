"""What a rule answered, and the dated rows that decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quant.core.market.tables import Row

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``got`` as a worked case writes it: a text is compared to the character, a Decimal by its value.
    ``also`` are other spellings of the same answer that a case may expect.
    """

    got: Any
    rows: tuple[Row, ...] = ()
    also: tuple[Any, ...] = ()
