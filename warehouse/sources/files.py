"""Files as a vendor delivered them, below a declared folder, in the formats of ``warehouse.sources.formats``.

Cells of text files are read as text, so that numbers reach normalisation digit by digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Final

import polars as pl

from quant.core.errors import CheckFailed, SpecError
from quant.core.hashing import fingerprint
from quant.warehouse.contracts.tables import contract
from quant.warehouse.sources.formats import FileOptions, Unreadable, read_file
from quant.warehouse.sources.formats.qlib import bundle, calendar_of
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.settings import DatasetSettings, SourceSettings

_MEDIA: Final = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json_lines": "application/jsonl",
    "tdx_text": "text/plain",
    "hdf5": "application/x-hdf5",
    "qlib": "application/zip",
}


class FilesSource:
    """The files of one source spec. A fetch yields every file of the dataset: files are not cut by date."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings

    def fetch(self, dataset: str, start: date, end: date) -> Iterator[Payload]:
        """Every matching file in name order. Raises SpecError when the folder or all files are missing."""
        del start, end
        wanted = self._settings.dataset(dataset)
        root = _root(self._settings)
        found = _matching(root, wanted, self._settings.name)
        if wanted.format == "qlib":
            yield from _features(found, dataset, root)
            return
        for path in found:
            request = {"path": path.relative_to(root).as_posix()}
            yield Payload(dataset, path.read_bytes(), _media_type(path, wanted), request)

    def parse(self, payload: Payload) -> pl.DataFrame:
        """The vendor's columns. Raises CheckFailed ``payload.unreadable``."""
        wanted = self._settings.dataset(payload.dataset)
        path = str(payload.request.get("path", payload.digest))
        try:
            frame = read_file(payload.content, path, wanted, FileOptions.of(wanted.params))
        except Unreadable as error:
            raise CheckFailed(
                "payload.unreadable",
                f"{path} cannot be read as {wanted.format}",
                expected=_expected(wanted),
                found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            ) from error
        if wanted.code_from == "file_name":
            name = Path(path).name.removesuffix(".gz").removesuffix(".zip")
            frame = frame.with_columns(pl.lit(Path(name).stem).alias("code"))
        return _named_once(frame, wanted)


def _named_once(frame: pl.DataFrame, wanted: DatasetSettings) -> pl.DataFrame:
    """What a file of bars says of its instruments, once: ten years of rows say it no better."""
    columns = {field.column for field in wanted.fields}
    if wanted.code_from == "file_name":
        columns.add("code")
    if not wanted.distinct or contract(wanted.dataset).time is not None or not columns <= {*frame.columns}:
        return frame
    kept = [name for name in frame.columns if name in columns]
    return frame.select(kept).unique(keep="first", maintain_order=True)


def _expected(wanted: DatasetSettings) -> str:
    if wanted.format != "csv":
        return wanted.format
    return f"{wanted.format}, {wanted.encoding}, separated by {wanted.delimiter!r}"


def _features(paths: list[Path], dataset: str, root: Path) -> Iterator[Payload]:
    """One payload an instrument: its features and the calendar they count from."""
    for folder, files in groupby(paths, key=lambda path: path.parent):
        members = list(files)
        try:
            content = bundle(members, calendar_of(members[0], root))
        except Unreadable as error:
            raise SpecError(
                "source.files",
                f"the features of {folder.name} cannot be read",
                expected="calendars/day.txt beside features/",
                found=str(error),
            ) from error
        yield Payload(dataset, content, _MEDIA["qlib"], {"path": folder.relative_to(root).as_posix()})


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
            hint="set it below [profiles.NAME.roots] in quant.toml, as root: in the source spec, or in the "
            "environment variable that root_env: names",
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
    packed = {".gz": "+gzip", ".zip": "+zip"}.get(path.suffix.lower(), "")
    return _MEDIA.get(wanted.format, "application/octet-stream") + packed
