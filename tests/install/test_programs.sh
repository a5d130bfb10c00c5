#!/usr/bin/env bash
# A newcomer's project outside the repository: a method and a network of its own, through find_package, in at most 60
# lines. Its programs train, sample, score and report.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

cp -r "$source_dir/tests/install/own_method" "$work/own"
lines=$(cat "$work"/own/* | wc -l)
echo "-- $lines lines of the user's"
[ "$lines" -le 60 ] || fail "a method of one's own takes $lines lines, wanted at most 60"

cmake --install "${COLDZOOM_BUILD_DIR:?}" --prefix "$work/prefix" >"$work/installed.txt"
cd "$work/own"
# Without optimisation, which the compiler would take minutes for; the networks are fast in the engine.
cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
  -DCMAKE_CXX_COMPILER="$(command -v clang++ || command -v c++)"
cmake --build build

bin=build/mine
$bin/train --list >list.txt
grep -q "vignette *darkens the corners" list.txt || fail "train --list does not name the method"
$bin/train --method vignette --smoke --widths 4,3 --samples 9 --out run
$bin/sample --model run/model.safetensors --count 830 --out samples.npy --png samples.png | tee said.txt
grep -q "vignette from run/model.safetensors, degraded initial states" said.txt || fail "sample says something else"
$bin/sample --model run/model.safetensors --latent-file run/latents.safetensors --count 3 --sampler naive --out few.npy
$bin/evaluate --samples samples.npy --json scores.json >/dev/null
$bin/report --runs run --samples samples.npy --scores scores.json --out report.html
grep -q vignette report.html || fail "the page does not name the method"
[ -s samples.png ] || fail "no samples.png"

$bin/train --method vignette --smoke --network deep --channels 3 --epochs 1 --samples 0 --out deep
$bin/sample --model deep/model.safetensors --count 2 --out deep.npy

said=$($bin/train --method vignet --out bad 2>&1) && fail "an unknown method was trained"
[[ $said == *"found kind 'vignet', wanted one of"*vignette* ]] || fail "no sentence: $said"
echo "all as it should be"
