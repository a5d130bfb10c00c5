#!/usr/bin/env bash
# A kernel and what it calls do not compile without COLDZOOM_HD, given the installed coldzoom::cuda, and
# compiles with it. Needs nvcc and no device; skips without nvcc.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
nvcc=$(sed -n 's/^COLDZOOM_NVCC:FILEPATH=\(.*[^D]\)$/\1/p' "${COLDZOOM_BUILD_DIR:?}/CMakeCache.txt")
if [ -z "$nvcc" ]; then
  echo "skipped: no nvcc"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake -S "$source_dir" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" -DCOLDZOOM_NVCC="$nvcc" \
  -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_EXAMPLES=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF
cmake --install "$work/library"
cmake -S "$source_dir/tests/cuda/unmarked_kernel" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES="${CUDAARCHS:-90}"
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
