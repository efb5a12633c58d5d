"""Files that are either old or new, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from quant.core.errors import QuantError, TransientError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DATABASE_FULL: Final = "database or disk is full"
_DATABASE_NEEDS: Final = 1 << 20
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a full or forbidden disk into an error with a fix: ``storage.full`` (exit 4: nothing was changed,
    repeating is safe) or ``storage.denied`` (exit 1).
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise no_room(path, error.strerror) from error
        if error.errno in _DENIED:
            raise QuantError(
                "storage.denied",
                f"{path} may not be written",
                expected="a folder this user can write to",
                found=error.strerror,
            ) from error
        raise


def no_room(path: Path, found: str | None) -> TransientError:
    """The error of a disk without room for a file."""
    return TransientError(
        "storage.full",
        f"no room to write {path.name}: nothing was changed",
        expected=f"free space or quota at {path.parent}",
        found=found,
        hint="free some space (quant data gc removes old versions), then run the command again",
    )


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that it came from, is that of a full disk; databases say it in words."""
    seen: BaseException | None = error
    while seen is not None:
        if (isinstance(seen, OSError) and seen.errno in _FULL) or DATABASE_FULL in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextlib.contextmanager
def explained_database(path: Path) -> Iterator[None]:
    """``explained`` for what keeps a database below ``path``."""
    try:
        yield
    except QuantError:
        raise
    except Exception as error:
        if is_full(error) or ("disk I/O error" in str(error) and _crowded(path)):
            raise no_room(path, DATABASE_FULL) from error
        raise


def _crowded(path: Path) -> bool:
    """Whether the disk has no room for a database's own files, which it does not call a full disk."""
    there = next((p for p in (path, *path.parents) if p.exists()), None)
    return there is not None and shutil.disk_usage(there).free < _DATABASE_NEEDS


def write_atomic(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write ``content`` under a temporary name beside ``path`` and rename it into place.

    ``durable`` waits for the disk; without it a power cut (not a kill) may lose the file. Raises
    TransientError ``storage.full`` and QuantError ``storage.denied``.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as handle:
                handle.write(content)
                if durable:
                    handle.flush()
                    os.fsync(handle.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
