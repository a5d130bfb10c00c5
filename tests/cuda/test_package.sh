#!/usr/bin/env bash
# Installs the library, and builds and runs a program of CUDA and plain units that finds it. Skips without nvcc.
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
cmake -S "$source_dir/tests/cuda/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES="${CUDAARCHS:-90}"
cmake --build "$work/build"
"$work/build/cuda_package"
if [ -e "$work/build/cudnn_package" ]; then
  "$work/build/cudnn_package"
fi
