"""What is computed from other tables and stored beside them."""

from __future__ import annotations

from typing import Final

import polars as pl

from quant.warehouse.contracts.columns import ID, SESSION, RowRule, TableContract, column, provenance

TABLES: Final = (
    TableContract(
        "factor_values",
        "Values of one factor, as known after the close of the session; a table a factor.",
        (
            ID,
            SESSION,
            column("value", pl.Float64(), "the factor's value", available="close"),
            column("program", pl.String(), "fingerprint of the program that computed it"),
            *provenance(),
        ),
        key=("instrument_id", "session"),
        time="session",
        rules=(RowRule("value.finite", "a value must be a finite number", pl.col("value").is_finite()),),
        group="features",
        derived=True,
    ),
)
