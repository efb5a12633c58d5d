"""Everything fetched or stored: sources, contracts, lake, engines, audit, registry and ledger database."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.warehouse: one file must never be loaded under two names")
