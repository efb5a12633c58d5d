#!/bin/sh
# The C++ core under sanitizers: its tests with ASan + UBSan and with TSan, then the fuzzers.
# FUZZ_SECONDS (60) is the time of each fuzzer. What a fuzzer finds is kept below build/check/found.
set -eu
cd "$(dirname "$0")/.."
SECONDS_EACH=${FUZZ_SECONDS:-60}
BUILD=build/check
JOBS=$(nproc 2>/dev/null || echo 2)

CLANG=${CLANGXX:-$(command -v clang++ || ls /usr/bin/clang++-[0-9]* 2>/dev/null | sort -V | tail -1 || true)}
[ -n "$CLANG" ] || {
  echo "check-native needs clang with its runtime libraries; on Debian: apt-get install clang" >&2; exit 7; }
CMAKE=$(command -v .venv/bin/cmake || command -v cmake)
NINJA=$(command -v .venv/bin/ninja || command -v ninja)

build() { # name sanitizers [options]
  name=$1; sanitizers=$2; shift 2
  echo "check-native: $name ($sanitizers)" >&2
  "$CMAKE" -G Ninja -DCMAKE_MAKE_PROGRAM="$(cd "$(dirname "$NINJA")" && pwd)/ninja" -S native/tests -B "$BUILD/$name" \
    -DCMAKE_CXX_COMPILER="$CLANG" -DQUANT_SANITIZE="$sanitizers" "$@" >"$BUILD/$name.log"
  "$CMAKE" --build "$BUILD/$name" -j "$JOBS" >>"$BUILD/$name.log" || { cat "$BUILD/$name.log" >&2; exit 1; }
}

mkdir -p "$BUILD/found"
build address address,undefined -DQUANT_FUZZ=ON
"$BUILD/address/quant_tests"
build thread thread
"$BUILD/thread/quant_tests"

pids=
for fuzzer in "$BUILD"/address/fuzz_*; do
  [ -x "$fuzzer" ] && [ ! -d "$fuzzer" ] || continue
  name=$(basename "$fuzzer")
  corpus="$BUILD/corpus/$name"
  mkdir -p "$corpus"
  [ ! -d "native/fuzz/seeds/$name" ] || cp native/fuzz/seeds/"$name"/* "$corpus"/
  "$fuzzer" -max_total_time="$SECONDS_EACH" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$BUILD/found/$name-" "$corpus" >"$BUILD/$name.log" 2>&1 &
  pids="$pids $!:$name"
done
worst=0
for pair in $pids; do
  name=${pair#*:}
  if wait "${pair%%:*}"; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/$name.log") inputs in $SECONDS_EACH s, nothing found"
  else
    echo "$name found something:" >&2; tail -40 "$BUILD/$name.log" >&2; worst=1
  fi
done
exit $worst
