#!/usr/bin/env bash
# The device's side of benchmarks/compare_pytorch.sh starts on a device, and elsewhere says what is missing. Skips where
# it was not built.
set -euo pipefail

program=${COLDZOOM_BUILD_DIR:?}/benchmarks/bench_network_cuda
if [ ! -x "$program" ]; then
  echo "skipped: there is no $program"
  exit 77
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for precision in float32 tf32; do
  if "$program" no_such_file "$precision" </dev/null 2>"$log"; then
    echo "it ran without data" >&2
    exit 1
  fi
  cat "$log"
  grep -qE "^bench_network: (no_such_file: |cuda_backend: .*no CUDA device was found)" "$log"
done
test "$("$program" no_such_file bf16 2>&1 | cut -d ' ' -f 1)" = usage:
