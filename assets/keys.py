"""How tables are called as assets, and the groups they are shown in."""

from __future__ import annotations

from typing import Final

import dagster as dg

from quant.warehouse.contracts.tables import contract

VENDOR: Final = "vendor"
GOLDEN: Final = "golden"
FACTOR: Final = "factor"


def vendor_key(source: str, table: str) -> dg.AssetKey:
    """A source's own table."""
    return dg.AssetKey([VENDOR, source, table])


def golden_key(table: str) -> dg.AssetKey:
    """The agreed table."""
    return dg.AssetKey([GOLDEN, table])


def factor_key(name: str) -> dg.AssetKey:
    """A factor's values."""
    return dg.AssetKey([FACTOR, name])


def group_of(dataset: str) -> str:
    """The group a dataset's assets belong to."""
    return contract(dataset).group


def op_name(table: str) -> str:
    """The name of the step that stores a table and runs its checks."""
    return f"sync_{table}"
