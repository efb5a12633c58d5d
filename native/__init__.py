"""The C++20 core and its thin typed facade."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.native: one file must never be loaded under two names")
