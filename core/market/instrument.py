"""What an instrument is on a date: its board, its status, and the bits the panel packs them into."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

__all__ = [
    "BOARD_MASK",
    "BOARD_SHIFT",
    "DELISTING",
    "LISTED",
    "NO_LIMIT",
    "ST",
    "STATUS_UNKNOWN",
    "SUSPENDED",
    "TRADING",
    "Asset",
    "Board",
    "Status",
    "asset_of",
    "board_of_flags",
    "mic_of",
]


class Board(IntEnum):
    """Market segment of an instrument. The numbers are stored in flags and rule tables: never reuse one."""

    UNKNOWN = 0
    SSE_MAIN = 1
    SZSE_MAIN = 2
    SME = 3
    CHINEXT = 4
    STAR = 5
    BSE = 6
    SSE_FUND = 7
    SZSE_FUND = 8
    SSE_CB = 9
    SZSE_CB = 10


class Status(StrEnum):
    """Point-in-time trading status: ST and *ST are ``st``, the delisting arrangement period ``delisting``;
    ``s_unreformed`` is a share marked S, ``fund20`` a fund on its exchange's 20 % list.
    """

    NORMAL = "normal"
    ST = "st"
    DELISTING = "delisting"
    S_UNREFORMED = "s_unreformed"
    FUND20 = "fund20"
    UNKNOWN = "unknown"


class Asset(StrEnum):
    """What the fee tables tell apart."""

    STOCK = "stock"
    FUND = "fund"
    CB = "cb"


# Bits of the panel's uint32 ``flags``; bits 8..15 hold the Board.
LISTED: Final = 1
TRADING: Final = 2
"""The session has a bar with volume."""
SUSPENDED: Final = 4
ST: Final = 8
DELISTING: Final = 16
NO_LIMIT: Final = 32
STATUS_UNKNOWN: Final = 64
"""The source says nothing about ST or delisting; rules were applied as for a normal stock."""
BOARD_SHIFT: Final = 8
BOARD_MASK: Final = 0xFF00

_MIC: Final = {
    Board.SSE_MAIN: "XSHG",
    Board.STAR: "XSHG",
    Board.SSE_FUND: "XSHG",
    Board.SSE_CB: "XSHG",
    Board.SZSE_MAIN: "XSHE",
    Board.SME: "XSHE",
    Board.CHINEXT: "XSHE",
    Board.SZSE_FUND: "XSHE",
    Board.SZSE_CB: "XSHE",
    Board.BSE: "BJSE",
}
_ASSET: Final = {
    Board.SSE_FUND: Asset.FUND,
    Board.SZSE_FUND: Asset.FUND,
    Board.SSE_CB: Asset.CB,
    Board.SZSE_CB: Asset.CB,
}


def mic_of(board: Board) -> str | None:
    """MIC of the exchange a board belongs to; None for UNKNOWN."""
    return _MIC.get(board)


def asset_of(board: Board) -> Asset:
    """Fee class of a board; UNKNOWN counts as a stock."""
    return _ASSET.get(board, Asset.STOCK)


def board_of_flags(flags: int) -> Board:
    """The Board in bits 8..15 of a panel flag word."""
    return Board((flags & BOARD_MASK) >> BOARD_SHIFT)
