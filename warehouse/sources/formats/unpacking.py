"""Compressed files and archives, unpacked in memory and never beyond the limit."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import PurePosixPath

from quant.warehouse.sources.formats.options import MAX_UNPACKED, Unreadable

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


def unpacked(content: bytes, path: str, members: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of what a file holds: itself, or the members of an archive whose names match."""
    if path.lower().endswith(".zip"):
        yield from _members(content, path, members)
    elif path.lower().endswith(".gz"):
        yield path[: -len(".gz")], _gunzipped(content)
    else:
        yield path, content


def _gunzipped(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=BytesIO(content)) as packed:
            plain = packed.read(MAX_UNPACKED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"no whole gzip file: {error}") from error
    if len(plain) > MAX_UNPACKED:
        raise Unreadable(f"unpacks to more than {MAX_UNPACKED} bytes")
    return plain


def _members(content: bytes, path: str, wanted: str) -> Iterator[tuple[str, bytes]]:
    """Members are read, never extracted: their names cannot lead anywhere."""
    left = MAX_UNPACKED
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            names = [i for i in archive.infolist() if not i.is_dir() and fnmatchcase(i.filename, wanted)]
            if not names:
                raise Unreadable(f"no member matches {wanted!r}")
            for info in sorted(names, key=lambda i: i.filename):
                with archive.open(info) as member:
                    plain = member.read(left + 1)
                if len(plain) > left:
                    raise Unreadable(f"unpacks to more than {MAX_UNPACKED} bytes")
                left -= len(plain)
                yield f"{path}/{PurePosixPath(info.filename).name}", plain
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise Unreadable(f"no whole zip archive: {error}") from error
    except (ValueError, LookupError, UnicodeError) as error:
        raise Unreadable(f"a damaged zip archive: {error}") from error
