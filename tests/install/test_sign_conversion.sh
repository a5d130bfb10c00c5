#!/usr/bin/env bash
# Public headers, instantiated, give no warning under -Wsign-conversion, with the vectors of this machine and without.
# Nothing is linked or run.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
here=$source_dir/tests/install
export LC_ALL=C

# The packages of leaf headers, as system headers: their warnings are not ours.
packages=()
for package in eigen3 xtensor; do
  if flags=$(pkg-config --cflags-only-I "$package" 2>/dev/null); then
    for flag in $flags; do packages+=(-isystem "${flag#-I}"); done
  fi
done

has() { # COMPILER HEADER
  echo "#include <$2>" | "$1" -std=c++20 "${packages[@]}" -fsyntax-only -x c++ - 2>/dev/null
}

tried=0
for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || continue
  check=("$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Werror
    -I "$source_dir/include" "${packages[@]}")
  if has "$compiler" nlohmann/json.hpp; then
    for vectors in "" -march=native; do
      echo "-- $compiler $vectors: training and sampling"
      "${check[@]}" ${vectors:+"$vectors"} "$here/sign_conversion_training.cpp"
      tried=1
    done
    if has "$compiler" Eigen/Core && has "$compiler" png.h &&
      { has "$compiler" xtensor/xtensor.hpp || has "$compiler" xtensor/containers/xtensor.hpp; }; then
      echo "-- $compiler: data, metrics, interop"
      "${check[@]}" "$here/sign_conversion.cpp"
    fi
  fi
done
[ $tried = 1 ] || exit 77
