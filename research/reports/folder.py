"""A run folder read back: the only input of metrics and reports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant.core.errors import UsageError

Floats = NDArray[np.float64]

# Columns that later versions and other writers may leave out; money in yuan, sessions are local dates.
_EMPTY: dict[str, dict[str, Any]] = {
    "fills": {
        "session": pl.Date,
        "code": pl.String,
        "name": pl.String,
        "side": pl.String,
        "quantity": pl.Int64,
        "price": pl.Float64,
        "notional": pl.Float64,
        "commission": pl.Float64,
        "stamp": pl.Float64,
        "transfer": pl.Float64,
        "reason": pl.String,
    },
    "orders": {
        "order_id": pl.Int64,
        "session": pl.Date,
        "code": pl.String,
        "side": pl.String,
        "quantity": pl.Int64,
        "filled": pl.Int64,
        "state": pl.String,
        "reason": pl.String,
    },
    "positions": {
        "session": pl.Date,
        "code": pl.String,
        "name": pl.String,
        "quantity": pl.Int64,
        "cost": pl.Float64,
        "price": pl.Float64,
        "market_value": pl.Float64,
        "weight": pl.Float64,
    },
    "names": {
        "code": pl.String,
        "name": pl.String,
        "pnl": pl.Float64,
        "traded": pl.Float64,
        "holding_days": pl.Int64,
    },
    "ledger": {"session": pl.Date, "kind": pl.String, "code": pl.String, "amount": pl.Float64},
}


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The tables and documents of one run."""

    path: Path
    plan: dict[str, Any]
    receipt: dict[str, Any]
    metrics: dict[str, Any] | None  # None until metrics.json is written
    nav: pl.DataFrame
    fills: pl.DataFrame
    orders: pl.DataFrame
    positions: pl.DataFrame
    names: pl.DataFrame
    ledger: pl.DataFrame
    specs: tuple[tuple[str, str], ...]  # (file name, text)

    @classmethod
    def read(cls, path: Path) -> RunFolder:
        """Raises UsageError where the folder is not a run."""
        nav = path / "nav.parquet"
        if not nav.is_file() or not (path / "plan.json").is_file():
            raise UsageError(
                "run.folder",
                f"{path.name} is not a run folder",
                expected="plan.json, receipt.json and nav.parquet",
                found=", ".join(sorted(p.name for p in path.glob("*"))) or "nothing",
                hint="quant run ls",
            )
        return cls(
            path=path,
            plan=_document(path / "plan.json"),
            receipt=_document(path / "receipt.json"),
            metrics=_document(path / "metrics.json") or None,
            nav=pl.read_parquet(nav).sort("session"),
            specs=tuple((p.name, p.read_text(encoding="utf-8")) for p in sorted((path / "spec").glob("*"))),
            **{name: _table(path / f"{name}.parquet", columns) for name, columns in _EMPTY.items()},
        )

    @property
    def initial(self) -> float:
        """Capital before the first session, in yuan."""
        cash = self.plan.get("initial_cash")
        return float(cash) if cash is not None else float(self.nav["nav"][0])

    @property
    def returns(self) -> Floats:
        """Return of every session; the first is against the initial capital."""
        return _returns(self.nav["nav"].to_numpy(), self.initial)

    @property
    def benchmark(self) -> Floats | None:
        """Return of the benchmark every session, NaN where it is unknown; None without one."""
        if "benchmark" not in self.nav.columns or self.nav["benchmark"].null_count() == len(self.nav):
            return None
        return _returns(self.nav["benchmark"].cast(pl.Float64).fill_null(np.nan).to_numpy(), 1.0)

    def column(self, name: str) -> Floats:
        """A column of nav as float64; NaN where null or absent."""
        if name not in self.nav.columns:
            return np.full(len(self.nav), np.nan)
        return self.nav[name].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _returns(levels: Floats, start: float) -> Floats:
    before = np.concatenate([[start], levels[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.asarray(levels, dtype=np.float64) / before - 1.0
    return np.where(np.isfinite(returns), returns, np.nan)


def _document(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}


def _table(path: Path, columns: dict[str, Any]) -> pl.DataFrame:
    if not path.is_file():
        return pl.DataFrame(schema=columns)
    frame = pl.read_parquet(path)
    missing = [
        pl.lit(None, dtype=kind).alias(name) for name, kind in columns.items() if name not in frame.columns
    ]
    return frame.with_columns(missing) if missing else frame
