"""Batch numerics: panel, factors, portfolio, reports."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.research: one file must never be loaded under two names")
