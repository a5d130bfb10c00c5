#!/usr/bin/env bash
# Installs the library, and builds and runs a program of CUDA and plain units that finds it. Skips without nvcc.
set -euo pipefail

# shellcheck source=tests/cuda/installed.sh
. "$(dirname "${BASH_SOURCE[0]}")/installed.sh"

configure package
cmake --build "$work/build"
"$work/build/cuda_package"
if [ -e "$work/build/cudnn_package" ]; then
  "$work/build/cudnn_package"
fi
