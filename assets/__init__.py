"""Dagster software-defined assets and asset checks: what exists."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.assets: one file must never be loaded under two names")
