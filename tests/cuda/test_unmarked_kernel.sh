#!/usr/bin/env bash
# A kernel and what it calls do not compile without COLDZOOM_HD, given the installed coldzoom::cuda, and
# compile with it. Needs nvcc and no device; skips without nvcc.
set -euo pipefail

# shellcheck source=tests/cuda/installed.sh
. "$(dirname "${BASH_SOURCE[0]}")/installed.sh"

configure unmarked_kernel
cmake --build "$work/build" --target marked
if cmake --build "$work/build" --target unmarked >"$work/output" 2>&1; then
  echo "functions without COLDZOOM_HD compile although they must not" >&2
  exit 1
fi
for function in plus_one::operator dimmed::operator middle::operator twice; do
  if ! grep -E "error.*calling a __host__ function.*$function" "$work/output"; then
    echo "$function without COLDZOOM_HD does not fail for this reason:" >&2
    cat "$work/output" >&2
    exit 1
  fi
done
