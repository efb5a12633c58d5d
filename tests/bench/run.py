"""``make bench``: every workload in one run, ours beside the plain limit and the peers asked for, as ratios.

    make bench                             the plain limits only
    make bench PEERS="vectorbt arcticdb"   peers too, in virtual environments made once, under build/peers

Times are never asserted anywhere; figures from different runs or machines must not be compared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRIPTS = (
    *("startup.py", "w1.py", "w2.py", "w3.py", "w5.py", "w6.py", "bench_factor.py"),
    *("w7.py", "w7_asof.py", "audit.py", "sync_day.py", "clickhouse.py"),
)
PACKAGES = {
    "vectorbt": ("vbt", ["vectorbt", "pyarrow", "psutil"]),
    "hftbacktest": ("hft", ["hftbacktest", "pyarrow"]),
    "vnpy": ("vnpy", ["vnpy", "vnpy_ctastrategy", "vnpy_sqlite", "pyarrow"]),
    "arcticdb": ("dataeng", ["arcticdb", "polars", "pyarrow", "duckdb", "pandas", "numpy", "psutil"]),
}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "POLARS_MAX")}


def main() -> int:
    venvs = Path(os.environ.get("PEERS_VENVS", ROOT / "build" / "peers"))
    peers = os.environ.get("PEERS", "").split()
    unknown = sorted(set(peers) - set(PACKAGES))
    if unknown:
        print(f"unknown peer {unknown[0]}; known: {', '.join(PACKAGES)}", file=sys.stderr)
        return 2
    for peer in peers:
        prepare(venvs, *PACKAGES[peer])
    environment = {**os.environ, **ONE_THREAD, "PEERS_VENVS": str(venvs)}
    if not peers:
        environment.pop("PEERS_VENVS")
    worst = 0
    for script in SCRIPTS:
        if not (HERE / script).is_file():
            continue
        print(f"\n== {script}", flush=True)
        worst = max(
            worst,
            subprocess.run([sys.executable, str(HERE / script)], env=environment, check=False).returncode,
        )
    return worst


def prepare(venvs: Path, folder: str, packages: list[str]) -> None:
    """A virtual environment with a peer, once."""
    place = venvs / folder
    if (place / "bin" / "python").exists():
        return
    print(f"making {place.name} with {', '.join(packages)}", file=sys.stderr, flush=True)
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "-q", str(place)], check=True)
    subprocess.run([uv, "pip", "install", "-q", "-p", str(place / "bin" / "python"), *packages], check=True)


if __name__ == "__main__":
    sys.exit(main())
