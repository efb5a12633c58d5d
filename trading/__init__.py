"""One path from event to order: session, feeds, venues, journal."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.trading: one file must never be loaded under two names")
