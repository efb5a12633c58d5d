"""One path from event to order: session, feeds, venues, journal."""

if not __name__.startswith("quant."):
    raise ImportError("import this package as quant.trading: one file must never be loaded under two names")

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.trading.clocks import ReplayClock
    from quant.trading.control import ControlFiles, request
    from quant.trading.folder import SessionFolder
    from quant.trading.market_data import MarketData
    from quant.trading.paper import PaperOptions, run_paper, run_replay
    from quant.trading.ports import Ports
    from quant.trading.session import DayReport, SessionResult, run_session
    from quant.trading.status import SessionStatus, read_status
    from quant.trading.strategies import DeclarativeStrategy, FixedScores, PythonStrategy, load_strategy
    from quant.trading.view import OrderEvent, Position, View

_HOMES = {
    "ControlFiles": "control",
    "DayReport": "session",
    "DeclarativeStrategy": "strategies",
    "FixedScores": "strategies",
    "MarketData": "market_data",
    "OrderEvent": "view",
    "PaperOptions": "paper",
    "Ports": "ports",
    "Position": "view",
    "PythonStrategy": "strategies",
    "ReplayClock": "clocks",
    "SessionFolder": "folder",
    "SessionResult": "session",
    "SessionStatus": "status",
    "View": "view",
    "load_strategy": "strategies",
    "read_status": "status",
    "request": "control",
    "run_paper": "paper",
    "run_replay": "paper",
    "run_session": "session",
}

__all__ = [
    "ControlFiles",
    "DayReport",
    "DeclarativeStrategy",
    "FixedScores",
    "MarketData",
    "OrderEvent",
    "PaperOptions",
    "Ports",
    "Position",
    "PythonStrategy",
    "ReplayClock",
    "SessionFolder",
    "SessionResult",
    "SessionStatus",
    "View",
    "load_strategy",
    "read_status",
    "request",
    "run_paper",
    "run_replay",
    "run_session",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'quant.trading' has no attribute {name!r}")
    return getattr(import_module(f"quant.trading.{home}"), name)
