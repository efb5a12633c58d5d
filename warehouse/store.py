"""Where bytes lie: one port over a local folder and over object storage.

``create`` is what commits rest on: of any number of writers exactly one makes a name, whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from quant.core.errors import UsageError
from quant.warehouse.files import explained, write_atomic


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored object: its name below the folder, its bytes, and when it was written (epoch seconds)."""

    name: str
    size: int
    modified: float


_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})


class Storage(Protocol):
    """A folder of objects. Names are relative, with ``/``. A missing object is a FileNotFoundError."""

    @property
    def uri(self) -> str:
        """The folder's own address: a path, or ``s3://bucket/prefix``."""
        ...

    @property
    def options(self) -> dict[str, str] | None:
        """What polars and delta-rs need to open ``location``s; None for local files."""
        ...

    def below(self, *parts: str) -> Storage:
        """A folder in this folder."""
        ...

    def location(self, name: str) -> str:
        """The address of an object for a reader of Parquet files."""
        ...

    def arrow_filesystem(self) -> Any:
        """The file system that Arrow reads ``arrow_path``s of."""
        ...

    def arrow_path(self, name: str) -> str: ...

    def read(self, name: str) -> bytes: ...

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        """Put ``content`` under a name, whole or not at all; what was there is replaced."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Put ``content`` under a name that does not exist yet; False when it does."""
        ...

    def stamp(self, name: str) -> str | None:
        """What changes when an object is replaced; None where there is none."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of an object; None where there is none."""
        ...

    def folders(self) -> list[str]:
        """Names of the folders directly below, sorted."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Every object below, at any depth."""
        ...

    def remove(self, name: str) -> None:
        """Delete an object; a missing one is fine."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where a lake lies and how it is reached: a folder, or ``s3://bucket/prefix`` with options.

    ``lock`` is the file that local writers exclude each other with; None puts it beside a local lake.
    """

    uri: str
    options: Mapping[str, object] = field(default_factory=dict)
    lock: Path | None = None


def open_storage(root: Path | str | Address) -> Storage:
    """The storage behind an address. Raises UsageError for a scheme that is not known."""
    address = root if isinstance(root, Address) else Address(str(root))
    scheme, sign, _ = address.uri.partition("://")
    if not sign:
        return LocalFolder(Path(address.uri).absolute())
    if scheme == "s3":
        from quant.warehouse.object_store import ObjectFolder

        return ObjectFolder.open(address.uri, address.options)
    raise UsageError(
        "storage.scheme",
        f"no storage for {scheme}://",
        expected="a folder, or s3://bucket/prefix",
        found=address.uri,
    )


def lock_file(root: Path | str | Address, store: Storage) -> Path:
    """What local writers exclude each other with: a file beside a local lake; for one on object storage in
    the workspace, or else one of this machine.
    """
    if isinstance(root, Address) and root.lock is not None:
        return root.lock
    if isinstance(store, LocalFolder):
        return store.root.parent / "writer.lock"
    name = hashlib.sha256(store.uri.encode()).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    return Path(tempfile.gettempdir()) / f"quant-lakes-{user}" / f"{name}.lock"


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder of this machine. Temporary names begin with a dot and are never listed."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    @property
    def uri(self) -> str:
        return str(self.root)

    @property
    def options(self) -> dict[str, str] | None:
        return None

    def below(self, *parts: str) -> LocalFolder:
        return LocalFolder(self.root.joinpath(*parts))

    def location(self, name: str) -> str:
        return f"{self.root}{os.sep}{name}"

    def arrow_filesystem(self) -> Any:
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem()

    def arrow_path(self, name: str) -> str:
        return self.location(name)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def write(self, name: str, content: bytes, *, durable: bool = True) -> None:
        write_atomic(self.root / name, content, durable=durable)

    def create(self, name: str, content: bytes) -> bool:
        path = self.root / name
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as handle:
                    handle.write(content)
                    handle.flush()
                    os.fsync(handle.fileno())
                return _claim(temporary, path)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink()

    def stamp(self, name: str) -> str | None:
        try:
            found = Path(self.location(name)).stat()
        except OSError:
            return None
        return f"{found.st_ino}.{found.st_mtime_ns}.{found.st_size}"

    def size(self, name: str) -> int | None:
        try:
            return Path(self.location(name)).stat().st_size
        except OSError:
            return None

    def folders(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir())
        return []

    def entries(self) -> Iterator[Entry]:
        for folder, _, names in os.walk(self.root):
            for name in sorted(names):
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    relative = path.relative_to(self.root).as_posix()
                    yield Entry(relative, found.st_size, found.st_mtime)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


def _claim(temporary: Path, path: Path) -> bool:
    """Give the temporary file its name, unless the name is taken."""
    if os.name == "nt":
        try:
            temporary.rename(path)
        except FileExistsError:
            return False
        return True
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        temporary.rename(path)  # without hard links the workspace's lock alone keeps writers apart
    return True
