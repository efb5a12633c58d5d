"""One stand-in per provider behind one face, for the suite that all providers pass.

What a provider has no means to say is a declared gap with its reason, never a silent skip.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from baostock_server import BaostockServer, bao, bar
from jq_server import PASSWORD, USER, JoinQuantServer
from truth import PARAMS, truth
from tushare_server import TOKEN, TushareServer
from web_server import WebServer

from quant.warehouse.sources.isolated import IsolatedSdk

SECRET = "RIG_SECRET"
"""The environment variable that the sources read their secret from."""
SPARSE = "only ex-dates have a factor"
UNLIMITED = "the vendor has no price limits"


@contextlib.contextmanager
def one_worker() -> Iterator[None]:
    """A vendor's process serves all tables instead of one each: an SDK takes a second to load."""
    idle: dict[str, list[Any]] = {}
    begin = IsolatedSdk.__init__

    def shared(self: IsolatedSdk, module: str, opening: Any, environment: Any = ()) -> None:
        begin(self, module, opening, environment)
        self._idle = idle.setdefault(json.dumps([module, dict(opening())]), [])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IsolatedSdk, "__init__", shared)
        patch.setattr(IsolatedSdk, "close", lambda _self: None)
        try:
            yield
        finally:
            for worker in (each for workers in idle.values() for each in workers):
                worker.close()


OWN = ("instruments", "bars_1d", "adjustment_factors")


@dataclass
class Rig:
    """A running stand-in. ``fault`` plants what the next answers are, ``calm`` takes it back; ``faults`` are
    its words for the troubles it can show.
    """

    name: str
    document: str
    markets: tuple[str, ...]
    asked: Callable[[], int]
    stop: Callable[[], None]
    fault: Callable[[str], None] = lambda _kind: None
    calm: Callable[[], None] = lambda: None
    cap: Callable[[int], None] = lambda _rows: None
    """Sets how many rows the stand-in sends at most, where it sends pages."""
    faults: Mapping[str, str] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    events: bool = False
    """Factors come as events."""
    halts: bool = True
    """Halted sessions have a row."""
    datasets: tuple[str, ...] = OWN


class _Queue:
    """Faults of Tushare's stand-in, one an answer."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()

    def pick(self, _endpoint: str, _question: str) -> str | None:
        return self.waiting.popleft() if self.waiting else None


def source(provider: str, base: str, options: str, **limits: object) -> str:
    told = {"per_minute": 100_000, "per_day": 1_000_000, "timeout": 5, "pause": 0.01, "attempts": 2, **limits}
    limit = ", ".join(f"{name}: {value}" for name, value in told.items())
    secret = f"secret: env://{SECRET}\n" if base in ("tushare", "joinquant") else ""
    return (
        f"apiVersion: quant/v1\nkind: source\nname: v\nprovider: {provider}\nlicense: for tests\n"
        f"{secret}defaults: [{base}]\noptions: {{{options}}}\nlimits: {{{limit}}}\n"
    )


def tushare_rig(_folder: Path, **limits: object) -> Rig:
    faults: Any = _Queue()
    server = TushareServer(faults=faults, slow=0.5).__enter__()

    def fault(kind: str) -> None:
        if kind == "token":
            server.token = "another"
        else:
            faults.waiting.extend([kind] * 2)

    def calm() -> None:
        server.token = TOKEN
        faults.waiting.clear()

    return Rig(
        "tushare",
        source("tushare", "tushare", f'url: "{server.url}"', **limits),
        ("SH", "SZ", "BJ"),
        asked=lambda: len(server.calls),
        stop=lambda: server.__exit__(None, None, None),
        fault=fault,
        calm=calm,
        cap=lambda rows: setattr(server, "cap", rows),
        faults={"transient": "dropped", "quota": "status_429", "refused": "token"},
        gaps={"invalid": "which parameters are invalid is not known of the service"},
        secret=TOKEN,
        datasets=(*OWN, "corporate_actions", "daily_basics"),
    )


def joinquant_rig(_folder: Path, **limits: object) -> Rig:
    server = JoinQuantServer()
    return Rig(
        "jqdatasdk",
        source("jqdatasdk", "joinquant", f"host: 127.0.0.1, port: {server.port}", **limits),
        ("SH", "SZ", "BJ"),
        asked=lambda: len(server.asked),
        stop=server.stop,
        fault=lambda kind: server.faults.extend([kind] * 2),
        calm=server.faults.clear,
        faults={
            "transient": "drop",
            "quota": "频率过高",
            "refused": "您的账号已过期",
            "invalid": "找不到标的",
        },
        secret=f"{USER}:{PASSWORD}",
        datasets=(
            *OWN,
            "corporate_actions",
            "daily_basics",
            "index_members",
            "index_weights",
            "fundamentals",
        ),
    )


def baostock_rig(_folder: Path, **limits: object) -> Rig:
    server = BaostockServer()
    return Rig(
        "baostock",
        source("baostock", "baostock", f"host: 127.0.0.1, port: {server.port}", **limits),
        ("SH", "SZ"),
        asked=lambda: len(server.behaviour.asked),
        stop=server.stop,
        fault=lambda kind: server.behaviour.faults.extend([kind] * 4),
        calm=server.behaviour.faults.clear,
        faults={"transient": "drop", "quota": "10001005", "refused": "10001006", "invalid": "10004006"},
        gaps={"limits": UNLIMITED},
        events=True,
        datasets=(*OWN, "corporate_actions", "daily_basics", "index_members"),
    )


def akshare_rig(_folder: Path, **limits: object) -> Rig:
    server = WebServer()
    no_account = "public pages know no accounts and say nothing of wrong questions"
    return Rig(
        "akshare",
        source("akshare", "akshare", f'url: "{server.url}"', **limits),
        ("SH", "SZ", "BJ"),
        asked=lambda: len(server.asked),
        stop=server.stop,
        fault=lambda kind: server.faults.extend([kind] * 2),
        calm=server.faults.clear,
        faults={"transient": "500", "quota": "456"},
        gaps={"refused": no_account, "invalid": no_account, "limits": UNLIMITED, "st": "not said"},
        events=True,
        halts=False,
    )


def simulated_rig(_folder: Path, **_limits: object) -> Rig:
    own = (f"{name}: {getattr(PARAMS, name)}" for name in (
        "seed", "instruments", "start", "listings", "delistings", "suspensions", "dividends", "st"
    ))  # fmt: skip
    document = (
        "apiVersion: quant/v1\nkind: source\nname: v\nprovider: simulated\nlicense: for tests\n"
        f"params: {{{', '.join(own)}}}\n"
    )
    nobody = "nobody is asked"
    gaps = dict.fromkeys(("transient", "quota", "refused", "invalid", "calls"), nobody)
    return Rig("simulated", document, ("SH", "SZ", "BJ"), lambda: 0, lambda: None, gaps=gaps)


def files_rig(folder: Path, **_limits: object) -> Rig:
    """Files in the layout of Baostock's client, which hold no factors."""
    root = folder / "delivered"
    root.mkdir(parents=True, exist_ok=True)
    names = [
        "date",
        "code",
        "open",
        "high",
        "low",
        "close",
        "preclose",
        "volume",
        "amount",
        "tradestatus",
        "isST",
    ]
    for code in truth().codes("SH", "SZ"):
        rows = truth().bars.filter(pl.col("code") == code).sort("session").iter_rows(named=True)
        lines = [",".join(names), *(",".join(bar(row, names)) for row in rows)]
        (root / f"{bao(code)}.csv").write_text("\n".join(lines) + "\n")
    document = (
        "apiVersion: quant/v1\nkind: source\nname: v\nprovider: files\nlicense: for tests\n"
        f"defaults: [baostock_files]\nroot: {root}\n"
    )
    gaps = dict.fromkeys(("transient", "quota", "refused", "invalid", "calls"), "files are not asked for")
    return Rig(
        "files", document, ("SH", "SZ"), lambda: 0, lambda: None, gaps={**gaps, "limits": UNLIMITED},
        datasets=("instruments", "bars_1d"),
    )  # fmt: skip


RIGS: Mapping[str, Callable[..., Rig]] = {
    "tushare": tushare_rig,
    "jqdatasdk": joinquant_rig,
    "baostock": baostock_rig,
    "akshare": akshare_rig,
    "simulated": simulated_rig,
    "files": files_rig,
}
VENDORS = ("tushare", "jqdatasdk", "baostock", "akshare")
FIRST, LAST = date(2021, 4, 1), date(2021, 4, 30)
"""A month with halts, ST names, distributions and a delisting."""
