"""Factor values over the lake's newest tables."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from quant.core.errors import CheckFailed, SpecErrors
from quant.core.market.calendar import calendar
from quant.core.market.instrument import LISTED
from quant.native.factor import evaluate
from quant.research.columns import PanelColumns
from quant.research.panel import load_panel

if TYPE_CHECKING:
    from quant.pipelines.workspace import Workspace


def factor_values(
    desk: Workspace, name: str, *, start: date | None = None, end: date | None = None
) -> pl.DataFrame:
    """``session, code, value`` of a factor of the workspace, lookback loaded before ``start``."""
    from quant.specs.compile.programs import factor_program
    from quant.specs.registry import load_workspace
    from quant.specs.schema import FactorSpec
    from quant.specs.validate import validate
    from quant.warehouse.catalog import DeltaCatalog
    from quant.warehouse.lake import Lake

    document = load_workspace(desk.root).get("factor", name)
    spec, faults = validate("factor", document.tree, document.marks)
    if not isinstance(spec, FactorSpec):
        raise SpecErrors(faults)
    lake = Lake(desk.lake)
    state = DeltaCatalog(lake).table("bars_1d")
    if state is None or state.start is None or state.end is None:
        raise CheckFailed("data.missing", "the lake has no bars yet", hint="quant data sync bars_1d")
    program = factor_program(spec, document.marks, "after_close")
    dates = calendar("XSHG")
    first, last = max(start or state.start, state.start), min(end or state.end, state.end)
    begin = max(dates.offset(first, -program.lookback) if program.lookback else first, dates.first)
    panel = load_panel(lake, dates, begin, last)
    rows = np.flatnonzero(np.array([d >= first for d in panel.sessions])).astype(np.int32)
    values = evaluate(program, PanelColumns(panel), mask=np.ascontiguousarray(panel.has(LISTED)), rows=rows)
    t, s = np.nonzero(~np.isnan(values))
    sessions = np.array(panel.sessions, dtype="datetime64[D]")[rows[t]]
    return pl.DataFrame(
        {
            "session": pl.Series(sessions).cast(pl.Date),
            "code": [panel.codes[i] for i in s],
            "value": values[t, s],
        }
    )
