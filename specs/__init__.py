"""The language: schema, loader, expressions, compiler, plan, diff, lint, the shipped spec library."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.specs: one file must never be loaded under two names")
