#!/usr/bin/env bash
# Builds and runs the two-file program in every way a user gets the library: installed and found, as a
# subdirectory, fetched, and by -I alone. The CMake ways of the core target run as on a machine that has neither
# nvcc nor any package that only a leaf target needs.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
here=$source_dir/tests/install
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The tools by name in a folder of our own, so that PATH leads to no nvcc; COLDZOOM_CUDA=OFF hides one elsewhere.
mkdir "$work/bin"
for tool in cmake ninja make as ld ar ranlib nm sh g++ gcc clang++ clang rm; do
  path=$(command -v "$tool") && ln -s "$path" "$work/bin/$tool"
done
export PATH=$work/bin

no_leaf_packages=(-DCOLDZOOM_CUDA=OFF)
for package in ZLIB PNG nlohmann_json Eigen3 xtensor; do
  no_leaf_packages+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done

build_and_run() { # NAME CMAKE_ARGUMENT...
  local build=$work/$1
  echo "-- $1: ${*:2}"
  cmake --no-warn-unused-cli -S "$here" -B "$build" -DCOLDZOOM_SOURCE_DIR="$source_dir" -DCMAKE_PREFIX_PATH="$work/prefix" "${@:2}"
  cmake --build "$build"
  "$build/two_files"
}

cmake -S "$source_dir" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" "${no_leaf_packages[@]}" \
  -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_EXAMPLES=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF
cmake --install "$work/library"

warnings=(-Wall -Wextra -Wconversion -Wshadow -Werror)
for compiler in g++ clang++; do
  if [ ! -e "$work/bin/$compiler" ]; then
    echo "-- $compiler is not installed: not tried"
    continue
  fi
  for way in find_package add_subdirectory FetchContent; do
    build_and_run "$compiler-$way" -DWAY=$way -DCMAKE_CXX_COMPILER=$compiler "${no_leaf_packages[@]}"
  done
  echo "-- $compiler -I"
  "$compiler" -std=c++20 "${warnings[@]}" -I "$source_dir/include" "$here/one.cpp" "$here/two.cpp" -pthread \
    -o "$work/bare-$compiler"
  "$work/bare-$compiler"
done

for way in find_package add_subdirectory; do
  build_and_run "leaves-$way" -DWAY=$way -DLEAVES=ON
  "$work/leaves-$way/leaves"
done

cmake -S "$source_dir" -B "$work/engine" -DCMAKE_INSTALL_PREFIX="$work/prefix" "${no_leaf_packages[@]}" \
  -DCOLDZOOM_ENGINE=ON -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_EXAMPLES=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF
cmake --build "$work/engine"
cmake --install "$work/engine"
for way in find_package add_subdirectory; do
  build_and_run "engine-$way" -DWAY=$way -DENGINE=ON "${no_leaf_packages[@]}"
  "$work/engine-$way/engine_same"
  "$work/engine-$way/engine_other"
  if nm -C "$work/engine-$way/CMakeFiles/engine_same.dir/engine.cpp.o" | grep "[TW] .*cpu_conv_block<.*>::forward("; then
    echo "a unit that links the engine has compiled what the engine holds" >&2
    exit 1
  fi
done
