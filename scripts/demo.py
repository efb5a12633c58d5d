"""``make demo``: the user's three commands in this clone, then the metrics and the path of the report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUANT = Path(sys.executable).with_name("quant")
COMMANDS = (
    ("data", "sync"),
    ("backtest", "specs/demo/momentum.yaml", "n=50"),
    ("deploy", "--env", "paper"),
)


def main() -> int:
    for command in COMMANDS:
        print(f"\n$ quant {' '.join(command)}", file=sys.stderr, flush=True)
        code = subprocess.run([str(QUANT), *command], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
