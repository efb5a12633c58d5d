"""The command line: argv, screens, exit codes."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.qcli: one file must never be loaded under two names")
