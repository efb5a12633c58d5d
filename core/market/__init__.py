"""Instruments, calendars and the dated rules of the markets. Import its modules by name."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.core: one file must never be loaded under two names")

__all__ = ["calendar", "corporate_actions", "fees", "instrument", "rules", "tables"]
