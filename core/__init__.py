"""The vocabulary: ids, time, money, errors, calendars, instruments, market rules. Standard library only."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.core: one file must never be loaded under two names")
