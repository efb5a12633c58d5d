#!/bin/sh
# Builds sdist and wheel, installs the wheel into an empty environment outside the checkout, and runs a
# workspace of its own there: init, sync, backtest, paper session.
set -eu
cd "$(dirname "$0")/.."
HERE=$(pwd)
UV=$(command -v uv || echo .venv/bin/uv)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "wheel: building" >&2
"$UV" build -q --no-build-isolation --python .venv/bin/python --sdist --out-dir "$work/dist" .
"$UV" build -q --no-build-isolation --python .venv/bin/python --wheel --out-dir "$work/dist" "$work"/dist/*.tar.gz
echo "wheel: installing into an empty environment" >&2
"$UV" venv -q -p .venv/bin/python "$work/venv"
"$UV" pip install -q --compile-bytecode -p "$work/venv/bin/python" -c requirements.lock "$work"/dist/*.whl
cd "$HERE"
"$work/venv/bin/quant" --version
cd "$work"
"$work/venv/bin/quant" init desk --template ashare
cd desk
"$work/venv/bin/quant" data sync
"$work/venv/bin/quant" backtest momentum n=20 --json > run.json
"$work/venv/bin/quant" deploy --env paper
"$work/venv/bin/python" - <<'PY'
import json, pathlib, quant
run = json.load(open("run.json"))
assert pathlib.Path(run["report"]).is_file(), run
assert "site-packages" in quant.__file__, quant.__file__
print("wheel: ok", quant.__version__)
PY
