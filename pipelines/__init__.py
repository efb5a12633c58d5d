"""Plans become running things: wiring, flows, executors, the Dagster code location."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.pipelines: one file must never be loaded under two names")
