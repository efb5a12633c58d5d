"""How long the command line takes to answer, bare Python beside it: the best of several fresh processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
QUANT = Path(sys.executable).with_name("quant")
REPEAT = 7


def best(command: list[str]) -> float:
    """Least wall seconds of ``REPEAT`` runs in the clone."""
    times = []
    for _ in range(REPEAT):
        began = time.perf_counter()
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    bare = best([sys.executable, "-c", "pass"])
    print(f"{'bare python':<24} {bare:6.3f} s")
    for words in (["--help"], ["spec", "lint"], ["backtest", "momentum", "n=50"]):
        seconds = best([str(QUANT), *words])
        print(f"{'quant ' + ' '.join(words):<24} {seconds:6.3f} s   {seconds / bare:6.1f} x bare python")


if __name__ == "__main__":
    main()
