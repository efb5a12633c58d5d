"""An adapter that is told what to answer, and a source over it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from quant.core.errors import QuantError
from quant.warehouse.sources.calling import CallingSource
from quant.warehouse.sources.port import Payload
from quant.warehouse.sources.quota import Quota
from quant.warehouse.sources.settings import (
    DatasetSettings,
    FieldSettings,
    LimitSettings,
    SourceSettings,
)
from quant.warehouse.sources.vendor import Answer, Call, VendorWorld
from quant.warehouse.store import LocalFolder

DAYS = [date(2024, 3, d) for d in (4, 5, 6, 7, 8)]
FIELDS = tuple(
    FieldSettings(n, m, unit=u)
    for n, m, u in (
        ("code", "code", "one"),
        ("date", "session", "one"),
        ("open", "open", "yuan"),
        ("close", "close", "yuan"),
        ("vol", "volume", "lot100"),
        ("money", "amount", "yuan"),
    )
)
SETTINGS = SourceSettings(
    "v",
    "tushare",
    datasets={"bars_1d": DatasetSettings("bars_1d", "daily", FIELDS)},
    limits=LimitSettings(attempts=4, pause_s=0.001, max_rows=100),
)
Row = list[object]


def rows_of(day: date, codes: Sequence[str] = ("600000.SH", "600001.SH", "600002.SH")) -> list[Row]:
    return [[c, day.isoformat(), 10.0, 10.5, 200 + i, 210_000.0 + 1050 * i] for i, c in enumerate(codes)]


@dataclass
class Scripted:
    """Answers each question by ``reply``, which may raise; counts what was asked."""

    reply: Callable[[Call, int], list[Row]]
    asked: list[Call] = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: ["code", "date", "open", "close", "vol", "money"])
    guess: int = 3
    at_once: int = 0
    most_at_once: int = 0
    closed: int = 0
    parts: Callable[[Call], Sequence[Call]] = lambda _call: ()
    inside: threading.Lock = field(default_factory=threading.Lock)

    def calls(self, dataset: str, start: date, end: date) -> Iterator[Call]:
        for day in DAYS:
            if start <= day <= end:
                yield Call("daily", {"date": day.isoformat()}, self.guess)

    def ask(self, call: Call, timeout: float) -> Answer:
        with self.inside:
            self.asked.append(call)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            tries = sum(each.key == call.key for each in self.asked)
        try:
            rows = self.reply(call, tries)
        finally:
            with self.inside:
                self.at_once -= 1
        content = json.dumps({"fields": self.names, "items": rows}).encode()
        return Answer(content, "application/json", len(rows))

    def split(self, call: Call) -> Sequence[Call]:
        return self.parts(call)

    def parse(self, payload: Payload) -> pl.DataFrame:
        body = json.loads(payload.content)
        columns = list(zip(*body["items"], strict=True)) or [()] * len(body["fields"])
        return pl.DataFrame(
            {
                n: [None if v is None else str(v) for v in c]
                for n, c in zip(body["fields"], columns, strict=True)
            },
            schema=dict.fromkeys(body["fields"], pl.String),
        )

    def close(self) -> None:
        self.closed += 1


def day_of(call: Call) -> date:
    return date.fromisoformat(str(call.params["date"]))


def whole(call: Call, _tries: int) -> list[Row]:
    return rows_of(day_of(call))


def source(
    adapter: Scripted, tmp_path: Path, settings: SourceSettings = SETTINGS, table: str = "bars_1d"
) -> CallingSource:
    world = VendorWorld(lambda _a, _b: ["600000.SH"], lambda: "a-secret")
    quota = Quota(tmp_path / "quota.db")
    lake = LocalFolder(tmp_path / "lake")
    return CallingSource(settings, adapter, world, lake=lake, table=table, quota=quota)


def fetched(source: CallingSource, start: date = DAYS[0], end: date = DAYS[-1]) -> list[Payload]:
    return list(source.fetch("bars_1d", start, end))


def refused(source: CallingSource) -> QuantError:
    with pytest.raises(QuantError) as caught:
        fetched(source)
    return caught.value
