"""One small market told by three vendors as CSV files, each with faults of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from quant.core.market.calendar import calendar
from quant.warehouse.sources.settings import DatasetSettings, FieldSettings, SourceSettings

NAMES = ("a", "b", "c")
CODES = tuple(f"60000{i}.SH" for i in range(8))
HEADER = "code,session,open,high,low,close,pre_close,volume,amount,st\n"
FIELDS = tuple(FieldSettings(name, name) for name in HEADER.strip().split(","))
Key = tuple[str, date]


@dataclass
class Market:
    """The true bars by code and session, and for each vendor the bars it tells instead (None = missing)."""

    truth: dict[Key, dict[str, str]]
    told: dict[str, dict[Key, dict[str, str] | None]] = field(default_factory=dict)

    def write(self, root: Path) -> None:
        for name in NAMES:
            folder = root / name
            folder.mkdir(parents=True, exist_ok=True)
            names = "".join(f"{code},{code[:6]},1999-11-10\n" for code in CODES)
            (folder / "names.csv").write_text("code,name,list_date\n" + names, encoding="utf-8")
            rows = []
            for key, bar in self.truth.items():
                said = self.told.get(name, {}).get(key, bar)
                if said is not None:
                    rows.append(",".join([key[0], key[1].isoformat(), *said.values()]))
            (folder / "bars.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")


def market(start: date = date(2024, 1, 2), end: date = date(2024, 2, 29)) -> Market:
    """True bars: a random walk in cents."""
    draw = random.Random(11)
    truth: dict[Key, dict[str, str]] = {}
    for code in CODES:
        close = 1000
        for day in calendar("XSHG").sessions(start, end):
            before, opened = close, close + draw.randint(-20, 20)
            close = opened + draw.randint(-20, 20)
            high, low = max(opened, close) + 5, min(opened, close) - 5
            volume = draw.randint(10, 900) * 100
            cents = [f"{v / 100:.2f}" for v in (opened, high, low, close, before)]
            amount = str(Decimal(volume) * Decimal(opened + close) / 200)
            truth[code, day] = dict(
                zip(HEADER.strip().split(",")[2:], [*cents, str(volume), amount, "false"], strict=True)
            )
    return Market(truth)


def with_faults(told: Market, share: float = 0.03) -> Market:
    """Each vendor gets faults of every kind; no two vendors are wrong about the same bar."""
    draw = random.Random(5)
    keys = list(told.truth)
    draw.shuffle(keys)
    count = max(1, int(len(keys) * share))
    for n, name in enumerate(NAMES):
        told.told[name] = {}
        for i, key in enumerate(keys[n * count : (n + 1) * count]):
            told.told[name][key] = _fault(i % 5, told.truth[key])
    return told


def _fault(kind: int, bar: dict[str, str]) -> dict[str, str] | None:
    match kind:
        case 0:
            return {**bar, "close": bar["low"] if bar["close"] != bar["low"] else bar["high"]}
        case 1:
            return None
        case 2:
            return {**bar, "volume": str(int(bar["volume"]) + 100)}
        case 3:
            return {**bar, "open": bar["high"], "st": ""}
        case _:
            return {**bar, "pre_close": f"{float(bar['pre_close']) + 0.01:.2f}", "st": "true"}


def source(root: Path, name: str, **changes: object) -> SourceSettings:
    given: dict[str, object] = {
        "name": name,
        "provider": "files",
        "root": root / name,
        "datasets": {
            "instruments": DatasetSettings(
                "instruments",
                "names.csv",
                (
                    FieldSettings("code", "code"),
                    FieldSettings("name", "name"),
                    FieldSettings("list_date", "list_date"),
                ),
            ),
            "bars_1d": DatasetSettings("bars_1d", "bars.csv", FIELDS),
        },
        **changes,
    }
    return SourceSettings(**given)  # type: ignore[arg-type]


def sources(root: Path, **changes: object) -> dict[str, SourceSettings]:
    return {name: source(root, name, **changes) for name in NAMES}
