#!/usr/bin/env bash
# Builds and runs programs in every way a user gets the library: installed and found, as a
# subdirectory, fetched, and by -I alone. The CMake ways of the core target run as on a machine that has neither
# nvcc nor any package that only a leaf target needs.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
here=$source_dir/tests/install
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The tools by name in a folder of our own, so that PATH leads to no nvcc; COLDZOOM_CUDA=OFF hides one elsewhere.
mkdir "$work/bin"
for tool in cmake ninja make as ld ar ranlib nm sh g++ gcc clang++ clang rm grep diff; do
  path=$(command -v "$tool") && ln -s "$path" "$work/bin/$tool"
done
export PATH=$work/bin

no_leaf_packages=(-DCOLDZOOM_CUDA=OFF)
for package in ZLIB PNG JPEG LibArchive nlohmann_json Eigen3 xtensor; do
  no_leaf_packages+=("-DCMAKE_DISABLE_FIND_PACKAGE_$package=ON")
done

configure() { # NAME CMAKE_ARGUMENT...
  echo "-- $1: ${*:2}"
  cmake --no-warn-unused-cli -S "$here" -B "$work/$1" -DCOLDZOOM_SOURCE_DIR="$source_dir" -DCMAKE_PREFIX_PATH="$work/prefix" "${@:2}"
}
build_and_run() { # NAME TARGET...
  cmake --build "$work/$1" --target "${@:2}"
  for program in "${@:2}"; do "$work/$1/$program"; done
}

cmake -S "$source_dir" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" "${no_leaf_packages[@]}" \
  -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_EXAMPLES=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF
cmake --install "$work/library"
if ! diff -r --exclude=cuda --exclude=cuda.cuh "$source_dir/include" "$work/prefix/include"; then
  echo "not all headers are installed" >&2
  exit 1
fi

warnings=(-Wall -Wextra -Wconversion -Wshadow -Werror)
for compiler in g++ clang++; do
  if [ ! -e "$work/bin/$compiler" ]; then
    echo "-- $compiler is not installed: not tried"
    continue
  fi
  for way in find_package add_subdirectory FetchContent; do
    configure "$compiler-$way" -DWAY=$way -DCMAKE_CXX_COMPILER=$compiler "${no_leaf_packages[@]}"
    build_and_run "$compiler-$way" finds
  done
  echo "-- $compiler -I"
  "$compiler" -std=c++20 "${warnings[@]}" -I "$work/prefix/include" "$here/one.cpp" "$here/two.cpp" -pthread \
    -o "$work/bare-$compiler"
  "$work/bare-$compiler"
done

configure leaves-add_subdirectory -DWAY=add_subdirectory -DLEAVES=ON
build_and_run leaves-add_subdirectory leaves

engine() { # NAME, with the engine and another program, which compiles its own
  build_and_run "$1" engine_same
  if nm -C "$work/$1/CMakeFiles/engine_same.dir/engine.cpp.o" | grep "[TW] .*cpu_conv_block<.*>::forward("; then
    echo "a unit that links the engine has compiled what the engine holds" >&2
    exit 1
  fi
}
configure engine-add_subdirectory -DWAY=add_subdirectory -DENGINE=ON "${no_leaf_packages[@]}"
engine engine-add_subdirectory

# The build whose tests these are has the engine compiled.
rm -r "$work/prefix"
cmake --install "${COLDZOOM_BUILD_DIR:?}" --prefix "$work/prefix" >"$work/installed.txt"
configure found -DWAY=find_package -DLEAVES=ON -DENGINE=ON
build_and_run found leaves engine_other
engine found
