#!/usr/bin/env bash
# A kernel and what it calls do not compile without COLDZOOM_HD, given the installed coldzoom::cuda, and
# compiles with it. Needs nvcc and no device; skips without nvcc.
set -euo pipefail

# shellcheck source=tests/cuda/installed.sh
. "$(dirname "${BASH_SOURCE[0]}")/installed.sh"

configure unmarked_kernel
for unit in kernel degradation interpolation helper; do
  cmake --build "$work/build" --target "$unit"
  if cmake --build "$work/build" --target "unmarked_$unit" >"$work/output" 2>&1; then
    echo "a $unit without COLDZOOM_HD compiles although it must not" >&2
    exit 1
  fi
  if ! grep -E 'error.*calling a __host__ function' "$work/output"; then
    echo "a $unit without COLDZOOM_HD fails for another reason:" >&2
    cat "$work/output" >&2
    exit 1
  fi
done
