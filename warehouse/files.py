"""Files that are either old or new, never half."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from quant.core.errors import QuantError, TransientError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
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
            raise TransientError(
                "storage.full",
                f"no room to write {path.name}: nothing was changed",
                expected=f"free space or quota at {path.parent}",
                found=error.strerror,
                hint="free some space (quant data gc removes old versions), then run the command again",
            ) from error
        if error.errno in _DENIED:
            raise QuantError(
                "storage.denied",
                f"{path} may not be written",
                expected="a folder this user can write to",
                found=error.strerror,
            ) from error
        raise


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
