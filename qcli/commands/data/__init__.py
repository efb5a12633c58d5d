"""``quant data``: the warehouse. Verbs stand in the order in which they are imported."""

from quant.qcli.commands.data import (  # noqa: F401
    audit,
    canary,
    export,
    quarantine,
    resample,
    restate,
    snapshot,
    sql,
    status,
    sync,
    upkeep,
    why,
)
from quant.qcli.commands.data.app import app

__all__ = ["app"]
