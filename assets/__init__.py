"""Dagster software-defined assets and asset checks: what exists."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.assets: one file must never be loaded under two names")

from quant.assets.declared import DeclaredTable, declare
from quant.assets.factors import Computed, DeclaredFactor, FactorStore, build_factor_assets
from quant.assets.factory import build_assets
from quant.assets.keys import factor_key, golden_key, group_of, vendor_key
from quant.assets.partitions import Years, yearly
from quant.assets.warehouse import Observer, Unobserved, Warehouse

__all__ = [
    "Computed",
    "DeclaredFactor",
    "DeclaredTable",
    "FactorStore",
    "Observer",
    "Unobserved",
    "Warehouse",
    "Years",
    "build_assets",
    "build_factor_assets",
    "declare",
    "factor_key",
    "golden_key",
    "group_of",
    "vendor_key",
    "yearly",
]
