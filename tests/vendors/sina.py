"""Daily candles as Sina packs them: bits in letters, low bits first, which its own script unpacks.

Prices are whole cents, each day relative to the one before; widths are given with the first day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from string import ascii_lowercase, ascii_uppercase, digits

_LETTERS = ascii_uppercase + ascii_lowercase + digits + "+/"
_FORMAT, _SHIFT = 3466, 63
_DAY_ZERO = 7657
_WIDTHS = {"o": (3, 8), "h": (3, 8), "l": (3, 8), "c": (3, 8), "v": (5, 16), "a": (5, 16)}


@dataclass(frozen=True)
class Candle:
    """Prices in cents, volume in shares, amount in yuan."""

    day: date
    open: int
    high: int
    low: int
    close: int
    volume: int
    amount: int


def packed(candles: Sequence[Candle]) -> str:
    """The text between the quotes of Sina's script."""
    bits = _Bits()
    bits.number(_FORMAT, 12)
    bits.number(_SHIFT, 6)
    price = volume = 0
    for index, candle in enumerate(candles):
        bits.flags(1, 1, 0, 1)
        for before, after in _WIDTHS.values():
            if index == 0:
                bits.flags(1)
                bits.change(after - before)
            else:
                bits.flags(0)
        bits.flags(1)
        bits.number(1, 3)
        bits.number((candle.day - date(1970, 1, 1)).days - _DAY_ZERO, 18)
        bits.flags(0)
        rise = candle.high - candle.open - (candle.open - candle.low) + candle.close - candle.open
        about = int((candle.open + rise / 4) * candle.volume + 0.5)
        whole, rest = divmod(about, 100)
        tens, ones = divmod(rest, 10)
        if tens > 5 or (tens == 5 and (ones > 0 or whole % 2 == 1)):
            whole += 1
        for width, value in (
            (24, candle.open - price),
            (24, candle.high - candle.open),
            (24, candle.open - candle.low),
            (24, candle.close - candle.open),
            (48, candle.volume - volume),
            (48, candle.amount - whole),
        ):
            bits.number(value, width)
        price, volume = candle.close, candle.volume
    bits.flags(1, 1, 0, 0, 0)
    return bits.text()


class _Bits:
    def __init__(self) -> None:
        self._bits: list[int] = []

    def flags(self, *values: int) -> None:
        self._bits += values

    def number(self, value: int, width: int) -> None:
        """The low ``width`` bits, negative numbers as complements."""
        self._bits += [value >> place & 1 for place in range(width)]

    def change(self, by: int) -> None:
        """A sign and a count."""
        self._bits += [int(by > 0), *[1] * (abs(by) - 1), 0]

    def text(self) -> str:
        bits = self._bits + [0] * (-len(self._bits) % 6)
        sixes = (bits[i : i + 6] for i in range(0, len(bits), 6))
        return "".join(_LETTERS[sum(bit << place for place, bit in enumerate(six))] for six in sixes)
