"""What a run leaves behind: one folder from which the report is rendered and the run is replayed.

The folder is written under a temporary name and renamed when it is complete, so that a folder with a run's
name is always whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from quant.core.market.instrument import LISTED
from quant.core.money import MONEY_SCALE, PRICE_SCALE, RATE_SCALE
from quant.native.kernel import OrderState, Reason

if TYPE_CHECKING:
    from quant.native.kernel import Kernel
    from quant.pipelines.wiring import Prepared
    from quant.research.panel import Float

NO_TARGET = -1


def new_run_id(name: str, now: datetime, fingerprint: str) -> str:
    """Sortable by time, readable, unique: ``20260105T093000-momentum-1f2e3d``."""
    return f"{now:%Y%m%dT%H%M%S%f}-{name}-{fingerprint[:6]}"


def write_run(
    folder: Path,
    prepared: Prepared,
    kernel: Kernel,
    *,
    receipt: Mapping[str, Any],
    sources: Mapping[str, str],
) -> None:
    """Write every file of the run into ``folder``, metrics and report excepted."""
    folder.mkdir(parents=True)
    plan = prepared.plan
    (folder / "plan.json").write_text(plan.to_json(), encoding="utf-8")
    _write_json(folder / "receipt.json", receipt)
    _write_json(folder / "chain.json", [[_day(d).isoformat(), digest] for d, digest in kernel.chain()])
    for relative, text in sources.items():
        target = folder / "spec" / Path(relative).name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for name, frame in frames(prepared, kernel).items():
        frame.write_parquet(folder / f"{name}.parquet")


def seal(temporary: Path, final: Path) -> None:
    """Make a complete folder visible under its name."""
    temporary.replace(final)


def discard(temporary: Path) -> None:
    """Remove what an unfinished run left."""
    shutil.rmtree(temporary, ignore_errors=True)


def _write_json(path: Path, body: object) -> None:
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1, default=str), encoding="utf-8")


def _day(days: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + days)


def frames(prepared: Prepared, kernel: Kernel) -> dict[str, pl.DataFrame]:
    """The run's tables: nav, fills, orders, positions, names, ledger; money in yuan."""
    axis = _Axis(prepared)
    return {
        "nav": _nav(prepared, kernel),
        "fills": _fills(axis, kernel),
        "orders": _orders(axis, kernel),
        "positions": _positions(axis, kernel),
        "names": _names(axis, kernel),
        "ledger": _ledger(axis, kernel),
    }


class _Axis:
    """Row and instrument indices back to sessions, codes and names."""

    def __init__(self, prepared: Prepared) -> None:
        self._sessions = np.array(prepared.sessions, dtype="datetime64[D]")
        self._codes = np.array([*prepared.panel.codes, ""], dtype=object)
        self._names = np.array([*prepared.panel.names, ""], dtype=object)

    def session(self, rows: np.ndarray[Any, Any]) -> pl.Series:
        return pl.Series("session", self._sessions[rows]).cast(pl.Date)

    def code(self, index: np.ndarray[Any, Any]) -> pl.Series:
        return pl.Series("code", self._codes[index].tolist(), dtype=pl.String)

    def name(self, index: np.ndarray[Any, Any]) -> pl.Series:
        return pl.Series("name", self._names[index].tolist(), dtype=pl.String)


def _yuan(values: np.ndarray[Any, Any]) -> Float:
    return np.asarray(values, dtype=np.float64) / MONEY_SCALE


def _price(values: np.ndarray[Any, Any]) -> Float:
    return np.asarray(values, dtype=np.float64) / PRICE_SCALE


def _side(values: np.ndarray[Any, Any]) -> list[str]:
    return ["buy" if v > 0 else "sell" for v in values]


def _label(enum: Any, values: np.ndarray[Any, Any]) -> list[str]:
    return [enum(int(v)).name.lower() for v in values]


def _nav(prepared: Prepared, kernel: Kernel) -> pl.DataFrame:
    history = kernel.nav_history()
    nav = _yuan(history["nav"])
    safe = np.where(nav != 0, nav, np.nan)
    rows = np.asarray(history["row"])
    sessions = np.array(prepared.sessions, dtype="datetime64[D]")[rows]
    return pl.DataFrame(
        {
            "session": pl.Series(sessions).cast(pl.Date),
            "nav": nav,
            "cash": _yuan(history["cash"]),
            "market_value": _yuan(history["market_value"]),
            "receivable": _yuan(history["receivable"]),
            "gross_exposure": _yuan(history["market_value"]) / safe,
            "turnover": _yuan(history["traded"]) / safe,
            "fees": _yuan(history["fees"]),
            "benchmark": pl.Series(benchmark(prepared)[rows], dtype=pl.Float64),
            "positions": pl.Series(np.asarray(history["positions"])).cast(pl.Int64),
        }
    )


def benchmark(prepared: Prepared) -> np.ndarray[Any, Any]:
    """Level per market row of the equal-weighted universe, 1.0 at the close of the first session.

    The mean of close / pre_close - 1 (pre_close is the ex-reference price, hence total return) over the names
    that the universe held at the close before; null where the plan has no benchmark.
    """
    rows = len(prepared.sessions)
    if prepared.plan.benchmark.kind == "none":
        return np.full(rows, None, dtype=object)
    panel, first = prepared.panel, prepared.first
    close, reference = panel.close[first:], panel.pre_close[first:]
    listed = panel.has(LISTED)[first:] & (close > 0) & (reference > 0)
    held = listed[1:] & (panel.close[first:-1] > 0) & prepared.universe[first:-1]
    returns = np.where(held, close[1:] / np.maximum(reference[1:], 1) - 1.0, 0.0)
    count = np.maximum(held.sum(axis=1), 1)
    return np.concatenate([[1.0], np.cumprod(1.0 + returns.sum(axis=1) / count)])


def _fills(axis: _Axis, kernel: Kernel) -> pl.DataFrame:
    fills = kernel.fills()
    return pl.DataFrame(
        {
            "session": axis.session(fills["row"]),
            "ts": pl.Series(fills["ts"]).cast(pl.Int64).cast(pl.Datetime("ns", "UTC")),
            "order_id": fills["order_id"],
            "code": axis.code(fills["instrument"]),
            "name": axis.name(fills["instrument"]),
            "side": pl.Series(_side(fills["side"]), dtype=pl.String),
            "quantity": fills["quantity"],
            "price": _price(fills["price"]),
            "notional": _yuan(fills["notional"]),
            "commission": _yuan(fills["commission"]),
            "stamp": _yuan(fills["stamp"]),
            "transfer": _yuan(fills["transfer"]),
            "reason": pl.Series(_label(Reason, fills["reason"]), dtype=pl.String),
        }
    )


def _orders(axis: _Axis, kernel: Kernel) -> pl.DataFrame:
    orders = kernel.orders()
    target = np.asarray(orders["target_weight"], dtype=np.float64)
    return pl.DataFrame(
        {
            "order_id": orders["order_id"],
            "session": axis.session(orders["row"]),
            "code": axis.code(orders["instrument"]),
            "name": axis.name(orders["instrument"]),
            "side": pl.Series(_side(orders["side"]), dtype=pl.String),
            "quantity": orders["quantity"],
            "filled": orders["filled"],
            "state": pl.Series(_label(OrderState, orders["state"]), dtype=pl.String),
            "reason": pl.Series(_label(Reason, orders["reason"]), dtype=pl.String),
            "target_weight": pl.Series(np.where(target == NO_TARGET, np.nan, target / RATE_SCALE)).fill_nan(
                None
            ),
        }
    )


def _positions(axis: _Axis, kernel: Kernel) -> pl.DataFrame:
    held, history = kernel.position_history(), kernel.nav_history()
    row = np.asarray(held["row"])
    nav = dict(zip(np.asarray(history["row"]).tolist(), _yuan(history["nav"]).tolist(), strict=True))
    value = _price(held["price"]) * np.asarray(held["quantity"])
    weight = [v / nav[r] if nav.get(r) else 0.0 for r, v in zip(row.tolist(), value.tolist(), strict=True)]
    return pl.DataFrame(
        {
            "session": axis.session(row),
            "code": axis.code(held["instrument"]),
            "name": axis.name(held["instrument"]),
            "quantity": held["quantity"],
            "cost": _yuan(held["cost"]),
            "price": _price(held["price"]),
            "market_value": value,
            "weight": pl.Series(weight, dtype=pl.Float64),
        }
    )


def _names(axis: _Axis, kernel: Kernel) -> pl.DataFrame:
    names = kernel.names()
    return pl.DataFrame(
        {
            "code": axis.code(names["instrument"]),
            "name": axis.name(names["instrument"]),
            "pnl": _yuan(names["pnl"]),
            "traded": _yuan(names["traded"]),
            "holding_days": names["holding_days"],
        }
    )


def _ledger(axis: _Axis, kernel: Kernel) -> pl.DataFrame:
    from quant.native.kernel import LedgerKind

    entries = kernel.ledger()
    return pl.DataFrame(
        {
            "session": axis.session(entries["row"]),
            "kind": pl.Series(_label(LedgerKind, entries["kind"]), dtype=pl.String),
            "code": axis.code(entries["instrument"]),
            "amount": _yuan(entries["amount"]),
            "order_id": entries["order_id"],
        }
    )
