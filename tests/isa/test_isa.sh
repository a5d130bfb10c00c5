#!/usr/bin/env bash
# Links a unit compiled for AVX2 with one compiled for AVX-512. No symbol of the library may be defined in both:
# the linker keeps one of two definitions, and an AVX-512 function would end up in the AVX2 half. The symbols that
# templates of the standard library leave in both units are not ours to name.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
here=$source_dir/tests/isa
compiler=${CXX:-g++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$(uname -m)" != x86_64 ]; then
  echo "not an x86-64 machine: nothing to link"
  exit 77
fi

compile() { # NAME FLAG...
  $compiler -std=c++20 -O1 -I "$source_dir/include" -DNAME="$1" "${@:2}" -c "$here/unit.cpp" -o "$work/$1.o"
  nm --defined-only "$work/$1.o" | awk '{print $3}' | grep coldzoom | sort >"$work/$1.symbols"
}
compile avx2 -mavx2 -mfma
compile avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma

if common=$(comm -12 "$work/avx2.symbols" "$work/avx512.symbols" | grep .); then
  echo "defined in both units:" >&2
  c++filt <<<"$common" >&2
  exit 1
fi
echo "symbols of the library: $(wc -l <"$work/avx2.symbols") for AVX2, $(wc -l <"$work/avx512.symbols") for AVX-512"

$compiler -std=c++20 "$here/main.cpp" "$work/avx2.o" "$work/avx512.o" -pthread -o "$work/program"
"$work/program"
