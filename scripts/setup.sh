#!/bin/sh
# Builds the project into .venv: uv where present (or installable), pip otherwise.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
.venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "quant needs Python 3.11 or newer; make PYTHON=python3.11 setup" >&2; exit 2; }

if command -v uv >/dev/null 2>&1; then UV=uv
elif [ -x .venv/bin/uv ]; then UV=.venv/bin/uv
elif .venv/bin/python -m pip install -q --disable-pip-version-check uv >/dev/null 2>&1; then UV=.venv/bin/uv
else UV=; fi

install() {
  if [ -n "$UV" ]; then "$UV" pip install -q --compile-bytecode -p .venv/bin/python "$@"
  else .venv/bin/python -m pip install -q --disable-pip-version-check "$@"; fi
}

if [ "${1:-}" != --native ]; then
  echo "setup: installing the locked dependencies" >&2
  install -r requirements.lock
fi
echo "setup: building the C++ core" >&2
exec 9>.venv/.build.lock
if command -v flock >/dev/null 2>&1; then flock 9; fi
install --no-build-isolation --no-deps --force-reinstall -e .
.venv/bin/python -m compileall -q quant core specs native warehouse research trading assets pipelines qcli
