#!/usr/bin/env bash
# An installed coldzoom::cuda for the tests of users' projects; sourced. Ends the test as skipped without nvcc.
source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
nvcc=$(sed -n 's/^COLDZOOM_NVCC:FILEPATH=\(.*[^D]\)$/\1/p' "${COLDZOOM_BUILD_DIR:?}/CMakeCache.txt")
if [ -z "$nvcc" ]; then
  echo "skipped: no nvcc"
  exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$COLDZOOM_BUILD_DIR" --prefix "$work/prefix" >"$work/installed.txt"

# configure FOLDER: a project below tests/cuda that finds it, into $work/build.
configure() {
  cmake -S "$source_dir/tests/cuda/$1" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" \
    -DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_ARCHITECTURES="${CUDAARCHS:-90}"
}
