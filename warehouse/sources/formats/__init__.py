"""How files of each format become tables of the vendor's columns.

Readers are pure: bytes in, a frame out. They keep numbers as the file has them (text stays text, integers
integers), know nothing of our columns or units, never unpack more than ``MAX_UNPACKED`` bytes, and raise
``Unreadable`` for whatever they cannot make sense of.
"""

from __future__ import annotations

from quant.warehouse.sources.formats.options import MAX_UNPACKED, FileOptions, Unreadable
from quant.warehouse.sources.formats.reading import FORMATS, read_file

__all__ = ["FORMATS", "MAX_UNPACKED", "FileOptions", "Unreadable", "read_file"]
