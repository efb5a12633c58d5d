"""Files as a vendor delivered them: CSV, gzipped CSV and Parquet below a declared folder.

CSV cells are read as text, so that numbers reach normalisation digit by digit.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, SpecError
from quant.core.hashing import fingerprint
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings

_BOM: Final = b"\xef\xbb\xbf"
_PARQUET: Final = "application/vnd.apache.parquet"
_GZIP: Final = "text/csv+gzip"
_CSV: Final = "text/csv"
MAX_UNPACKED: Final = 2 << 30
"""Bytes that one gzipped file may unpack to: a bomb must not fill the memory."""


class FilesSource:
    """The files of one source spec. A fetch yields every file of the dataset: files are not cut by date."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]:
        """Every matching file in name order. Raises SpecError when the folder or all files are missing."""
        del start, end
        wanted = self._settings.dataset(dataset)
        root = _root(self._settings)
        for path in _matching(root, wanted, self._settings.name):
            request = {"path": path.relative_to(root).as_posix()}
            yield Payload(dataset, path.read_bytes(), _media_type(path, wanted), request)

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns. Raises CheckFailed ``payload.unreadable``."""
        wanted = self._settings.dataset(payload.dataset)
        try:
            frame = _read(payload, wanted)
        except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
            raise CheckFailed(
                "payload.unreadable",
                f"{payload.request.get('path', payload.digest)} cannot be read as {wanted.format}",
                expected=f"{wanted.format}, {wanted.encoding}, separated by {wanted.delimiter!r}",
                found=str(error).splitlines()[0],
            ) from error
        if wanted.code_from == "file_name":
            name = Path(str(payload.request["path"])).name.removesuffix(".gz")
            frame = frame.with_columns(pl.lit(Path(name).stem).alias("code"))
        return frame


def open_files(settings: SourceSettings) -> FilesSource:
    """The files source of a source spec."""
    return FilesSource(settings)


def revision(settings: SourceSettings, dataset: str) -> str:
    """Changes when a matching file is added, removed, grown or touched."""
    shared = "bars_1d" if dataset not in settings.datasets else dataset
    root = _root(settings)
    stats = [(path, path.stat()) for path in _matching(root, settings.dataset(shared), settings.name)]
    return fingerprint([[p.relative_to(root).as_posix(), s.st_size, s.st_mtime_ns] for p, s in stats])


def _root(settings: SourceSettings) -> Path:
    if settings.root is None or not settings.root.is_dir():
        raise SpecError(
            "source.root",
            f"the folder of source {settings.name} does not exist",
            expected="a folder",
            found=str(settings.root),
            hint="set root: in the source spec, or the environment variable that root_env: names",
        )
    return settings.root.resolve()


def _matching(root: Path, wanted: DatasetSettings, source: str) -> list[Path]:
    found = sorted(path for path in root.glob(wanted.endpoint) if path.is_file())
    if not found:
        raise SpecError(
            "source.files",
            f"no file of source {source} matches",
            expected=f"{wanted.endpoint} below {root}",
            found="no file",
        )
    stray = next((path for path in found if not path.resolve().is_relative_to(root)), None)
    if stray is not None:
        raise SpecError(
            "source.files",
            f"{stray.relative_to(root)} leads out of the folder of source {source}",
            expected=f"a file below {root}",
            found=str(stray.resolve()),
        )
    return found


def _media_type(path: Path, wanted: DatasetSettings) -> str:
    if wanted.format == "parquet":
        return _PARQUET
    return _GZIP if path.suffix == ".gz" else _CSV


def _read(payload: Payload, wanted: DatasetSettings) -> pl.DataFrame:
    if payload.media_type == _PARQUET:
        return pl.read_parquet(BytesIO(payload.content))
    content = _unpacked(payload.content) if payload.media_type == _GZIP else payload.content
    if wanted.encoding.replace("-", "").lower() not in ("utf8", "utf8sig"):
        content = content.decode(wanted.encoding).encode()
    return pl.read_csv(BytesIO(content.removeprefix(_BOM)), separator=wanted.delimiter, infer_schema=False)


def _unpacked(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=BytesIO(content)) as packed:
        plain = packed.read(MAX_UNPACKED + 1)
    if len(plain) > MAX_UNPACKED:
        raise OSError(f"unpacks to more than {MAX_UNPACKED} bytes")
    return plain
