"""Drift: a vendor's columns and magnitudes against those that were seen before.

Missing and unreadable columns are found answer by answer (``doubts``). Here stands what only history shows:
a column that is new, and a unit that jumped, as volume in lots where it was in shares. What was seen lies
beside the payloads in ``<lake>/raw/<source>/shapes/<dataset>.json``.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import polars as pl

from quant.core.errors import CheckFailed
from quant.warehouse.normalize.fields import convert
from quant.warehouse.sources.doubts import fields_of
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings
from quant.warehouse.store import Storage

JUMP: Final = 50.0
"""A yearly median this many times larger or smaller is another unit, not another market."""
ENOUGH: Final = 50
"""Rows below which a median says nothing."""
MAGNITUDES: Final = frozenset(
    {"open", "high", "low", "close", "pre_close", "volume", "amount", "weight", "turnover"}
    | {"total_shares", "float_shares", "free_shares", "total_cap", "float_cap"}
)
_log = logging.getLogger("quant.vendors")


@dataclass(slots=True)
class Shapes:
    """What one dataset of one source looked like, and looks like now."""

    lake: Storage | None
    settings: SourceSettings
    dataset: DatasetSettings
    columns: dict[str, list[str]] = field(default_factory=dict)
    medians: dict[str, dict[str, tuple[float, int]]] = field(default_factory=dict)
    """``endpoint.column`` -> year -> (median, rows)."""
    warnings: list[str] = field(default_factory=list)
    _now: dict[tuple[str, str, str], list[tuple[float, int]]] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, lake: Storage | None, settings: SourceSettings, dataset: DatasetSettings) -> Shapes:
        """The shapes seen so far; none where nothing can be kept."""
        stored = _read(lake, _name(settings, dataset)) if lake is not None else {}
        if stored.get("stamp") != settings.fingerprint:  # other fields, other units: nothing to compare with
            stored = {}
        return cls(lake, settings, dataset, stored.get("columns", {}), _medians(stored.get("medians", {})))

    def add(self, endpoint: str, frame: pl.DataFrame, digest: str) -> None:
        """One answer. Raises CheckFailed ``vendor.schema`` for a new column where the spec stops at one."""
        self._columns(endpoint, frame, digest)
        self._last[endpoint] = digest
        fields = fields_of(self.dataset, endpoint)
        day = next((f for f in fields if f.name == "session"), None)
        if day is None or not frame.height or day.column not in frame.columns:
            return
        years = convert(frame[day.column], day, pl.Date()).values.dt.year()
        for wanted in (f for f in fields if f.name in MAGNITUDES and f.column in frame.columns):
            self._magnitudes(endpoint, wanted, frame, years)

    def close(self) -> None:
        """Compare with what was seen before, then remember it. Raises CheckFailed ``vendor.schema``."""
        for (endpoint, column, year), parts in sorted(self._now.items()):
            name, found = f"{endpoint}.{column}", _weighted(parts)
            self._compare(name, year, found, self._last[endpoint])
            if found[1] >= ENOUGH:
                self.medians.setdefault(name, {})[year] = found
        if self.lake is not None and self._last:
            body = {"stamp": self.settings.fingerprint, "columns": self.columns, "medians": self.medians}
            content = json.dumps(body, sort_keys=True, indent=1).encode()
            self.lake.write(_name(self.settings, self.dataset), content, durable=False)

    def _columns(self, endpoint: str, frame: pl.DataFrame, digest: str) -> None:
        known = self.columns.get(endpoint)
        new = [name for name in frame.columns if known is not None and name not in known]
        self.columns[endpoint] = [*(known or ()), *(n for n in frame.columns if n not in (known or ()))]
        if not new:
            return
        text = f"{self.settings.name}: {endpoint} has new columns: {', '.join(new)}"
        if self.settings.on_new_column == "stop":
            raise _drift(text, ", ".join(known or ()), ", ".join(new), digest)
        self.warnings.append(text)
        _log.warning("%s", text)

    def _magnitudes(
        self, endpoint: str, wanted: FieldSettings, frame: pl.DataFrame, years: pl.Series
    ) -> None:
        values = frame[wanted.column].cast(pl.Float64, strict=False).abs()
        rows = pl.DataFrame({"year": years, "value": values}).filter(pl.col("value") > 0)
        middle = rows.group_by("year").agg(pl.col("value").median(), pl.len().alias("n"))
        for year, value, count in middle.iter_rows():
            if year is not None:
                self._now.setdefault((endpoint, wanted.column, str(year)), []).append((value, count))

    def _compare(self, name: str, year: str, found: tuple[float, int], digest: str) -> None:
        """Against the same year, or the one next to it: decades apart, markets differ by more than a unit."""
        seen = self.medians.get(name, {})
        near = next((seen[y] for y in (year, str(int(year) - 1), str(int(year) + 1)) if y in seen), None)
        if near is None or min(near[1], found[1]) < ENOUGH:
            return
        ratio = found[0] / near[0]
        if not 1 / JUMP < ratio < JUMP:
            raise _drift(
                f"{self.settings.name}: the unit of {name} seems to have changed",
                f"a median near {near[0]:g}",
                f"{found[0]:g}, {ratio:.3g} times as much",
                digest,
            )


def _drift(message: str, expected: str, found: str, digest: str) -> CheckFailed:
    return CheckFailed(
        "vendor.schema",
        message,
        expected=expected,
        found=found,
        hint=f"the payload {digest[:12]} is kept; when the vendor really changed, mend the fields of the "
        "source spec, which starts a new comparison",
    )


def _weighted(parts: list[tuple[float, int]]) -> tuple[float, int]:
    return median(value for value, _ in parts), sum(count for _, count in parts)


def _name(settings: SourceSettings, dataset: DatasetSettings) -> str:
    return f"raw/{settings.name}/shapes/{dataset.dataset}.json"


def _read(lake: Storage, name: str) -> dict[str, Any]:
    try:
        stored = json.loads(lake.read(name))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _medians(stored: Any) -> dict[str, dict[str, tuple[float, int]]]:
    if not isinstance(stored, dict):
        return {}
    return {
        str(name): {str(year): (float(pair[0]), int(pair[1])) for year, pair in years.items()}
        for name, years in stored.items()
    }
