"""One tiny question to each endpoint of a vendor, whose answer is known: has it lost rows or a column,
changed a unit, or does it disagree with our calendar?

The question is always about the same day, so that only the vendor can have changed. What was answered first
lies in ``<lake>/raw/<source>/canary.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from quant.core.errors import CheckFailed, QuantError
from quant.core.market.calendar import Calendar, calendar
from quant.warehouse.normalize.fields import convert
from quant.warehouse.sources.calling import CallingSource
from quant.warehouse.sources.doubts import fields_of
from quant.warehouse.sources.drift import JUMP, MAGNITUDES
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.registry import open_adapter
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings
from quant.warehouse.sources.vendor import Call, VendorWorld
from quant.warehouse.store import Storage

SETTLED: Final = 10
"""Sessions after which a day's data count as final."""
WEEKS: Final = timedelta(days=28)
SHRUNK: Final = 0.98
"""A list of instruments may lose names; one of a past day may not lose rows at all."""


@dataclass(frozen=True, slots=True)
class CanaryAnswer:
    """What one endpoint answered. ``verdict``: first (nothing to compare with), same, restated (other values
    in the same shape), changed, or skipped.
    """

    source: str
    dataset: str
    endpoint: str
    day: date
    rows: int
    verdict: str
    note: str = ""
    error: QuantError | None = None


@dataclass(slots=True)
class _Seen:
    """An answer as it is kept."""

    day: str
    question: str
    rows: int
    columns: list[str]
    digest: str
    medians: dict[str, float] = field(default_factory=dict)


def listen(
    settings: SourceSettings, world: VendorWorld, lake: Storage, today: date
) -> Iterator[CanaryAnswer]:
    """Ask every endpoint of a source once. Failures are answers; nothing is raised for one of them."""
    wider = _with_calendar(settings)
    source = CallingSource(wider, open_adapter(wider, world), world, lake=lake)
    name = f"raw/{settings.name}/canary.json"
    canary = _Canary(wider, source, _read(lake, name, settings))
    try:
        for dataset in wider.datasets.values():
            yield from canary.asked(dataset, today)
    finally:
        source.close()
        seen = {key: asdict(each) for key, each in canary.seen.items()}
        body = {"stamp": settings.fingerprint, "seen": seen}
        lake.write(name, json.dumps(body, sort_keys=True, indent=1).encode(), durable=False)


@dataclass(slots=True)
class _Canary:
    settings: SourceSettings
    source: CallingSource
    seen: dict[str, _Seen]
    """``dataset/endpoint`` -> what was answered when all was well."""

    def asked(self, dataset: DatasetSettings, today: date) -> Iterator[CanaryAnswer]:
        """The first call of each endpoint about the known day."""
        day = self._day(dataset, today)
        start = day - WEEKS if dataset.dataset == "calendar" else day
        calls: dict[str, Call] = {}
        for call in self.source.calls(dataset.dataset, start, day):
            calls.setdefault(call.endpoint, call)
        for endpoint in dict.fromkeys((dataset.endpoint, *(part.endpoint for part in dataset.parts))):
            told = CanaryAnswer(self.settings.name, dataset.dataset, endpoint, day, 0, "skipped")
            if endpoint in calls:
                yield self._answer(told, dataset, calls[endpoint])
            else:
                yield replace(told, note="no codes are known yet: sync instruments first")

    def _day(self, dataset: DatasetSettings, today: date) -> date:
        known = next((s for key, s in self.seen.items() if key.startswith(f"{dataset.dataset}/")), None)
        if known is not None:
            return date.fromisoformat(known.day)
        dates = calendar(self.settings.calendar)
        return dates.offset(min(today, dates.last), -SETTLED)

    def _answer(self, told: CanaryAnswer, dataset: DatasetSettings, call: Call) -> CanaryAnswer:
        try:
            payload, frame = self.source.probe(dataset.dataset, call, told.day)
            told = replace(told, rows=frame.height)
            if dataset.dataset == "calendar":
                _same_sessions(self.settings, dataset, frame, told.day)
            return self._compared(told, fields_of(dataset, call.endpoint), call, payload, frame)
        except QuantError as error:
            return replace(told, verdict="changed", note=str(error), error=error)

    def _compared(
        self,
        told: CanaryAnswer,
        fields: tuple[FieldSettings, ...],
        call: Call,
        payload: Payload,
        frame: pl.DataFrame,
    ) -> CanaryAnswer:
        """Against what was answered before. Raises CheckFailed for what only a vendor's mistake explains."""
        key = f"{told.dataset}/{told.endpoint}"
        now = _Seen(
            str(told.day), call.key, frame.height, frame.columns, payload.digest, _medians(frame, fields)
        )
        before = self.seen.get(key)
        if before is None or before.question != call.key:
            self.seen[key] = now
            return replace(told, verdict="first")
        dated = any(f.name in ("session", "ex_session", "announced") for f in fields)
        _refuse_change(told, before, now, dated=dated)
        self.seen[key] = now
        return replace(told, verdict="same" if now.digest == before.digest else "restated")


def _refuse_change(told: CanaryAnswer, before: _Seen, now: _Seen, *, dated: bool) -> None:
    if now.rows < before.rows * (1.0 if dated else SHRUNK):
        rows = (f"{before.rows} rows", f"{now.rows} rows")
        raise _changed("canary.rows", told, "the answer has lost rows", *rows, now.digest)
    lost = [name for name in before.columns if name not in now.columns]
    if lost:
        columns = (", ".join(before.columns), ", ".join(now.columns))
        raise _changed("canary.schema", told, f"the column {', '.join(lost)} is gone", *columns, now.digest)
    for name, value in now.medians.items():
        ratio = value / before.medians[name] if before.medians.get(name) else 1.0
        if not 1 / JUMP < ratio < JUMP:
            values = (f"a median near {before.medians[name]:g}", f"{value:g}")
            raise _changed(
                "canary.unit", told, f"the unit of {name} seems to have changed", *values, now.digest
            )


def _changed(
    code: str, told: CanaryAnswer, message: str, expected: str, found: str, payload: str
) -> CheckFailed:
    return CheckFailed(
        code,
        f"{told.source}: {told.endpoint} of {told.day}: {message}",
        expected=expected,
        found=found,
        hint=f"the payload {payload[:12]} is kept; ask the vendor, then mend the source spec",
    )


def _medians(frame: pl.DataFrame, fields: tuple[FieldSettings, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for wanted in fields:
        if wanted.name in MAGNITUDES and wanted.column in frame.columns:
            values = frame[wanted.column].cast(pl.Float64, strict=False).abs()
            middle = values.filter(values > 0).median()
            if isinstance(middle, float):
                found[wanted.column] = middle
    return found


# --- the vendor's calendar --------------------------------------------------------------------------------

_CALENDARS: Final[Mapping[str, tuple[str, str, str, Mapping[str, str]]]] = {
    "tushare": ("trade_cal", "cal_date", "is_open", {"exchange": "SSE"}),
    "baostock": ("query_trade_dates", "calendar_date", "is_trading_day", {}),
}
"""Provider -> endpoint, its day, its flag, further parameters."""


def _with_calendar(settings: SourceSettings) -> SourceSettings:
    """The source with its own calendar among the datasets, where it has one."""
    known = _CALENDARS.get(settings.provider)
    if known is None:
        return settings
    endpoint, day, flag, params = known
    fields = (FieldSettings(day, "session"), FieldSettings(flag, "is_open"))
    own = DatasetSettings("calendar", endpoint, fields, params, distinct=True)
    return replace(settings, datasets={"calendar": own, **settings.datasets})


def _same_sessions(
    settings: SourceSettings, dataset: DatasetSettings, frame: pl.DataFrame, day: date
) -> None:
    """Raises CheckFailed ``canary.calendar`` when the vendor's sessions are not ours."""
    stated, flag = dataset.fields
    days = convert(frame[stated.column], stated, pl.Date()).values
    theirs = set(days.filter(frame[flag.column].cast(pl.String) == "1").drop_nulls().to_list())
    ours = _between(calendar(settings.calendar), day - WEEKS, day)
    odd = sorted(theirs ^ ours)
    if odd:
        raise CheckFailed(
            "canary.calendar",
            f"{settings.name}: the vendor's sessions are not those of the calendar",
            expected=", ".join(str(each) for each in sorted(ours & set(odd))) or "no session on these days",
            found=", ".join(str(each) for each in sorted(theirs & set(odd))) or "no session on these days",
            hint="compare with the exchange's announcement; quant data status shows what is affected",
        )


def _between(dates: Calendar, start: date, end: date) -> set[date]:
    return set(dates.sessions(start, end))


def _read(lake: Storage, name: str, settings: SourceSettings) -> dict[str, _Seen]:
    try:
        body: Any = json.loads(lake.read(name))
        if body["stamp"] != settings.fingerprint:
            return {}
        return {str(key): _Seen(**each) for key, each in body["seen"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
