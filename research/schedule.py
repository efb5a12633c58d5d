"""On which sessions a strategy decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

Every = Literal["bar", "day", "week", "month"]
On = Literal["first", "last"]


def decision_rows(
    sessions: Sequence[date], every: Every, on: On, following: date | None
) -> npt.NDArray[np.int32]:
    """Rows of the first or last session of each period, ascending.

    ``following`` is the calendar's session after the last one: without it the last session of the range would
    always look like the last of its period. None stands for the end of the calendar.
    """
    keys = [_period(d, every) for d in sessions]
    after = [*keys[1:], _period(following, every) if following else None]
    before = [None, *keys[:-1]]
    if on == "last":
        chosen = [i for i, (now, nxt) in enumerate(zip(keys, after, strict=True)) if now != nxt]
    else:
        chosen = [i for i, (now, last) in enumerate(zip(keys, before, strict=True)) if now != last]
    return np.array(chosen, dtype=np.int32)


def _period(session: date, every: Every) -> tuple[int, int]:
    if every in ("bar", "day"):
        return session.year, session.toordinal()
    if every == "week":
        year, week, _ = session.isocalendar()
        return year, week
    return session.year, session.month
