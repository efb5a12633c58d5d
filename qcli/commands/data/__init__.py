"""``quant data``: the warehouse. Verbs stand in the order in which they are imported."""

from quant.qcli.commands.data import sync, status, sql, quarantine, upkeep  # noqa: I001, F401
from quant.qcli.commands.data.app import app

__all__ = ["app"]
