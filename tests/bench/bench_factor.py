"""Factors on a panel of ten years and all instruments: ours, polars and the plain limit, one thread each.

    python tests/bench/bench_factor.py [--sessions T] [--instruments S] [--repeat R] [--json FILE]

The plain limit is one read and one write of the panel by NumPy. polars computes what its rolling expressions
offer, column by column; its running sums give other bits than ours, so results are compared to 1e-6 and a
disagreement gives exit code 1. Seconds are the best of R.
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant.core.errors import Location
from quant.native.factor import evaluate, instruction_sets
from quant.specs.expr import compile_expression

Floats = NDArray[np.float64]
CLOSE = pl.all()
CASES: dict[str, pl.Expr | None] = {
    "$close / Ref($close, 20) - 1": CLOSE / CLOSE.shift(20) - 1,
    "Mean($close, 20)": CLOSE.rolling_mean(20, min_samples=10),
    "Std($close, 20)": CLOSE.rolling_std(20, min_samples=10),
    "Max($close, 20)": CLOSE.rolling_max(20, min_samples=10),
    "Rank($close, 20)": None,
    "Corr($close, $volume, 20)": None,
    "CSRank($close)": None,
    "r = $close / Ref($close, 1) - 1; CSZScore(-Sum(r, 5) / Std(r, 20))": None,
}
MONTHLY = "$close / Ref($close, 20) - 1"


def market(sessions: int, instruments: int) -> dict[str, Floats]:
    rng = np.random.default_rng(7)
    shape = (sessions, instruments)
    close = 10 * np.exp(np.cumsum(rng.normal(0, 0.02, shape), axis=0))
    return {"close": close, "volume": rng.lognormal(10, 1, shape)}


def best(work: Callable[[], object], repeat: int) -> float:
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def agrees(ours: Floats, theirs: Floats) -> bool:
    return bool(np.allclose(ours[60:], theirs[60:], rtol=1e-6, equal_nan=True))


def measure(sessions: int, instruments: int, repeat: int) -> list[dict[str, object]]:
    columns = market(sessions, instruments)
    frame = pl.DataFrame(columns["close"])
    limit = best(lambda: columns["close"] * 1.0, repeat)
    rows = np.arange(25, sessions, 21, dtype=np.int32)
    results: list[dict[str, object]] = []
    for text, peer in CASES.items():
        program = compile_expression(text, origin=Location("bench"), price="raw")
        ours = best(lambda p=program: evaluate(p, columns), repeat)  # type: ignore[misc]
        entry: dict[str, object] = {"factor": text, "seconds": ours, "limit_ratio": ours / limit}
        if peer is not None:
            entry["polars_ratio"] = best(lambda e=peer: frame.select(e), repeat) / ours  # type: ignore[misc]
            entry["agrees"] = agrees(evaluate(program, columns), frame.select(peer).to_numpy())
        results.append(entry)
    program = compile_expression(MONTHLY, origin=Location("bench"), price="raw")
    seconds = best(lambda: evaluate(program, columns, rows=rows), repeat)
    results.append(
        {"factor": f"{MONTHLY}, {len(rows)} rows", "seconds": seconds, "limit_ratio": seconds / limit}
    )
    return results


def show(entry: dict[str, object]) -> str:
    peer = f"{entry['polars_ratio']:8.1f} x" if "polars_ratio" in entry else " " * 10
    return f"{entry['factor']!s:68.68s} {entry['seconds']:9.4f} s {entry['limit_ratio']:8.1f} x {peer}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2430)
    parser.add_argument("--instruments", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    results = measure(args.sessions, args.instruments, args.repeat)
    out = sys.stdout.write
    out(f"{args.sessions} x {args.instruments}, variant {instruction_sets()[-1]}, best of {args.repeat}\n")
    out(f"{'factor':68s} {'ours':>11s} {'of limit':>10s} {'polars':>10s}\n")
    out("".join(f"{show(entry)}\n" for entry in results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return 0 if all(entry.get("agrees", True) for entry in results) else 1


if __name__ == "__main__":
    sys.exit(main())
