"""A made-up run folder, complete and deterministic, with hostile names."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

HOSTILE = "</script><script>alert(1)</script><b>&\"'"
DIGESTS = ("spec_fingerprint", "plan_fingerprint", "rulebook_hash", "kernel_hash", "state_hash")
INITIAL = 1_000_000.0
SECTORS = ("平安", "贵州", "中科", "万达", "招商", "东方", "国泰", "海天")
KINDS = ("银行", "茅台", "电子", "科技", "股份", "能源", "证券", "味业")


def make_run(
    folder: Path, *, sessions: int = 900, benchmark: bool = True, trades: int = 800, seed: int = 3
) -> Path:
    """Write every file of the run-folder contract except metrics.json and the reports."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    days = business_days(date(2021, 1, 4), sessions)
    returns = rng.standard_t(5, sessions) * 0.009 + 0.0005
    nav = INITIAL * np.cumprod(1 + returns)
    market = np.cumprod(1 + 0.6 * returns + rng.normal(0, 0.006, sessions))
    codes, names = listing(40)
    fills = make_fills(rng, days, codes, names, trades)
    daily = dict(fills.group_by("session").agg(pl.col("notional").sum()).iter_rows())
    exposure = np.clip(0.93 + rng.normal(0, 0.02, sessions), 0, 1)
    pl.DataFrame(
        {
            "session": days,
            "nav": nav,
            "cash": nav * (1 - exposure),
            "market_value": nav * exposure,
            "receivable": np.zeros(sessions),
            "gross_exposure": exposure,
            "turnover": [daily.get(day, 0.0) / value for day, value in zip(days, nav, strict=True)],
            "fees": np.zeros(sessions),
            "benchmark": pl.Series(market / market[0] if benchmark else [None] * sessions, dtype=pl.Float64),
            "positions": rng.integers(35, 50, sessions),
        }
    ).write_parquet(folder / "nav.parquet")
    fills.write_parquet(folder / "fills.parquet")
    make_orders(rng, days, codes).write_parquet(folder / "orders.parquet")
    make_positions(rng, days[-1], nav[-1], codes, names).write_parquet(folder / "positions.parquet")
    pl.DataFrame(
        {
            "code": codes,
            "name": names,
            "pnl": rng.normal(4000, 26000, len(codes)),
            "traded": rng.uniform(1e4, 1e6, len(codes)),
            "holding_days": rng.integers(5, 400, len(codes)),
        }
    ).write_parquet(folder / "names.parquet")
    pl.DataFrame(
        {"session": [days[50]], "kind": ["dividend"], "code": [codes[0]], "amount": [1234.5]}
    ).write_parquet(folder / "ledger.parquet")
    write_documents(folder, days, benchmark)
    return folder


def business_days(first: date, count: int) -> list[date]:
    days, day = [], first
    while len(days) < count:
        if day.weekday() < 5:
            days.append(day)
        day += timedelta(days=1)
    return days


def listing(count: int) -> tuple[list[str], list[str]]:
    codes = [f"{600000 + 37 * i}.SH" if i % 2 else f"{1 + 41 * i:06}.SZ" for i in range(count)]
    names = [SECTORS[i % 8] + KINDS[(i // 8 + i) % 8] for i in range(count)]
    names[3] = HOSTILE
    return codes, names


def make_fills(
    rng: np.random.Generator, days: list[date], codes: list[str], names: list[str], count: int
) -> pl.DataFrame:
    rows = np.sort(rng.integers(0, len(days), count))
    who = rng.integers(0, len(codes), count)
    quantity = rng.integers(1, 60, count) * 100
    price = np.round(rng.uniform(4, 60, count), 2)
    side = rng.choice(["buy", "sell"], count)
    notional = quantity * price
    return pl.DataFrame(
        {
            "session": [days[r] for r in rows],
            "order_id": np.arange(count),
            "code": [codes[i] for i in who],
            "name": [names[i] for i in who],
            "side": side,
            "quantity": quantity,
            "price": price,
            "notional": notional,
            "commission": np.maximum(5.0, np.round(notional * 0.0003, 2)),
            "stamp": np.where(side == "sell", np.round(notional * 0.0005, 2), 0.0),
            "transfer": np.round(notional * 0.00001, 2),
            "reason": ["none"] * count,
        },
        schema_overrides={
            "session": pl.Date,
            "code": pl.String,
            "name": pl.String,
            "side": pl.String,
            "reason": pl.String,
        },
    )


def make_orders(
    rng: np.random.Generator, days: list[date], codes: list[str], count: int = 300
) -> pl.DataFrame:
    rows = np.sort(rng.integers(0, len(days), count))
    reasons = ["none"] * 7 + [
        "limit_up",
        "limit_up",
        "limit_down",
        "suspended",
        "reduced_to_cash",
        "cash",
        "something_new",
    ]
    reason = rng.choice(reasons, count)
    quantity = rng.integers(1, 60, count) * 100
    filled = np.where(
        reason == "none", quantity, np.where(reason == "reduced_to_cash", quantity // 200 * 100, 0)
    )
    state = np.where(reason == "none", "filled", np.where(reason == "cash", "rejected", "expired"))
    return pl.DataFrame(
        {
            "order_id": np.arange(count),
            "session": [days[r] for r in rows],
            "code": [codes[i] for i in rng.integers(0, len(codes), count)],
            "side": np.where(reason == "limit_down", "sell", "buy"),
            "quantity": quantity,
            "filled": filled,
            "state": state,
            "reason": reason,
            "target_weight": np.full(count, 0.02),
        }
    )


def make_positions(
    rng: np.random.Generator, day: date, nav: float, codes: list[str], names: list[str]
) -> pl.DataFrame:
    quantity = rng.integers(1, 80, 25) * 100
    price = np.round(rng.uniform(5, 50, 25), 2)
    value = quantity * price
    return pl.DataFrame(
        {
            "session": [day] * 25,
            "code": codes[:25],
            "name": names[:25],
            "quantity": quantity,
            "cost": value * rng.uniform(0.8, 1.2, 25),
            "price": price,
            "market_value": value,
            "weight": value / nav,
        }
    )


def write_documents(folder: Path, days: list[date], benchmark: bool) -> None:
    digest = "0123456789abcdef" * 4
    kind = "equal_weighted" if benchmark else "none"
    plan = {
        "name": "momentum",
        "start": str(days[0]),
        "end": str(days[-1]),
        "initial_cash": "1000000",
        "currency": "CNY",
        "benchmark": {"kind": kind},
    }
    receipt: dict[str, Any] = {
        "format": 1,
        "run_id": "20260105T093000-momentum-1f2e3d",
        "name": "momentum",
        "mode": "backtest",
        "created": "2026-01-05T09:30:00+00:00",
        **dict.fromkeys(DIGESTS, digest),
        "tables": [{"name": "bars_1d", "version": 3, "content_hash": digest}],
        "environment": {"python": "3.11", "isa": "avx2"},
        "overrides": ["n=50"],
        "actor": {"user": "someone", "host": "desk"},
        "assumptions": [
            {
                "code": "status.unknown",
                "text_en": "ST history is absent: status is unknown and treated as normal.",
                "text_zh": "缺少 ST 历史：状态未知，按正常处理。",
            },
            {
                "code": "events.inferred",
                "text_en": "Distributions are inferred from adjustment factors " + HOSTILE,
                "text_zh": "分红送转由复权因子推断。" + HOSTILE,
            },
        ],
    }
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    (folder / "spec").mkdir(exist_ok=True)
    text = "apiVersion: quant/v1\nkind: backtest\nname: momentum  # " + HOSTILE + "\nstrategy: momentum\n"
    (folder / "spec" / "momentum.yaml").write_text(text, encoding="utf-8")
