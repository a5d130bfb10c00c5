#!/usr/bin/env bash
# Builds everything and runs all tests.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: bash tests/run.sh [options] [-- CTEST_ARGUMENT...]

Installs missing packages (examples/setup.sh), builds the programs, the tests and one unit per header, and
runs every test. Arguments after -- go to ctest: `tests/run.sh -- -R nn/` runs the tests of nn/.

  --no-install     do not install packages; name what is missing and stop
  --build-dir DIR  where to build (default build/tests; with CXX set, build/tests-$CXX)
  --jobs N         parallel jobs (default: all CPUs)
  --werror         treat warnings as errors
  --help           this text

The environment variable CXX chooses the compiler. Where nvcc is found, the CUDA tests are built too, for the
architectures in CUDAARCHS (default 90), and skip where there is no device.
HELP
}

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_dir=$source_dir/build/tests${CXX:+-$(basename "${CXX##* }")}
jobs=$(nproc)
setup=()
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) setup=(--no-install) ;;
    --build-dir) build_dir=${2:?--build-dir needs a folder}; shift ;;
    --jobs) jobs=${2:?--jobs needs a number}; shift ;;
    --werror) options+=(-DCOLDZOOM_WERROR=ON) ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    *) echo "run.sh: unknown argument '$1' (try --help)" >&2; exit 2 ;;
  esac
  shift
done

bash "$source_dir/examples/setup.sh" "${setup[@]}" tests
export CUDAARCHS=${CUDAARCHS:-90}
if command -v ninja >/dev/null; then
  options+=(-G Ninja)
fi
# With the engine, for the tests install this build where they try a user's project.
cmake -S "$source_dir" -B "$build_dir" -DCOLDZOOM_ENGINE=ON "${options[@]}"
cmake --build "$build_dir" --parallel "$jobs" --target all all_verify_interface_header_sets
ctest --test-dir "$build_dir" --parallel "$jobs" --output-on-failure --no-tests=error --no-label-summary "$@"
