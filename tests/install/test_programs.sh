#!/usr/bin/env bash
# A newcomer's project outside the repository: the files of docs/how_to/own_method.md, a method and a network of one's own,
# through find_package, in at most 60 lines. Its programs check, train, sample, restore, score and report as the page says.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

mkdir "$work/own"
cd "$work/own"
python3 - "$source_dir/docs/how_to/own_method.md" <<'PY'
import pathlib, re, sys, textwrap
page = pathlib.Path(sys.argv[1]).read_text()
def block(language, having):
    found = [b for b in re.findall(r"^[ ]*```" + re.escape(language) + r"\n(.*?)^[ ]*```$", page, re.MULTILINE | re.DOTALL)
             if having in b]
    assert len(found) == 1, (language, having, len(found))
    return textwrap.dedent(found[0])
pathlib.Path("my_methods.cpp").write_text(block("c++", "struct shear"))
pathlib.Path("my_network.cpp").write_text(block("c++", "add_network"))
# Some of the programs, of both files.
cmake = block("cmake", "find_package(coldzoom")
short = cmake.replace("METHODS my_methods.cpp)",
                      "METHODS my_methods.cpp my_network.cpp\n"
                      "  PROGRAMS train sample check_degradation test_restoration evaluate report)")
assert short != cmake
pathlib.Path("CMakeLists.txt").write_text(short)
commands = block("bash", "--list") + block("bash", "build/mine/report")
quick = commands.replace("--epochs 5 --learning-rate 2e-3", "--smoke --widths 4,3 --samples 9").replace("--count 1000", "--count 830") \
    .replace("--method shear\n", "--method shear --limit 60\n").replace("--draws 1", "--draws 1 --limit 40")
run = [line for line in quick.splitlines() if line.startswith("build/mine/")]
assert len(run) == 7, run
pathlib.Path("commands.sh").write_text("set -eux\n" + "\n".join(run) + "\n")
PY
lines=$(cat my_methods.cpp my_network.cpp CMakeLists.txt | wc -l)
echo "-- $lines lines of the user's"
[ "$lines" -le 60 ] || fail "a method of one's own takes $lines lines, wanted at most 60"

cmake --install "${COLDZOOM_BUILD_DIR:?}" --prefix "$work/prefix" >"$work/installed.txt"
# Without optimisation, which the compiler would take minutes for; the networks are fast in the engine.
cmake -S . -B build -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 \
  -DCMAKE_CXX_COMPILER="$(command -v clang++ || command -v c++)"
cmake --build build

bash commands.sh 2>&1 | tee said.txt
said() { [[ $(<said.txt) == *"$1"* ]] || fail "the programs do not say '$1'"; }
said "shear            slides the columns"
said "D(x, 0) = x"
said "It is deterministic."
said "shear from run/model.safetensors, degraded initial states"
[[ $(<report.html) == *shear* ]] || fail "the page does not name the method"
for picture in samples.png restored.png; do [ -s $picture ] || fail "no $picture"; done

bin=build/mine
$bin/sample --model run/model.safetensors --latent-file run/latents.safetensors --count 3 --sampler tacos --out few.npy
$bin/train --method shear --smoke --network deep --hidden 3 --epochs 1 --samples 0 --out deep
$bin/sample --model deep/model.safetensors --count 2 --out deep.npy

said=$($bin/train --method sheer --out bad 2>&1) && fail "an unknown method was trained"
[[ $said == *"found kind 'sheer', wanted one of"*shear* ]] || fail "no sentence: $said"
echo "all as it should be"
