#!/usr/bin/env bash
# Installs the Debian/Ubuntu packages that are missing. Called by examples/quickstart.sh, tests/run.sh and .ci/run.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: bash examples/setup.sh [--no-install] GROUP...

Checks the packages of each GROUP and installs with apt-get what is missing.

  quickstart    what the example programs need
  tests         what the tests need (includes quickstart)
  benchmarks    what the benchmarks need, PyTorch included (includes quickstart)
  ci            formatters, linters, clang, a browser and two fonts (includes tests)

  --no-install  only name what is missing, and fail if anything is
  --help        this text
HELP
}

# A package stands alone or, where any provider of a command will do, as package:command.
quickstart=(
  build-essential:g++ cmake:cmake ninja-build:ninja gnuplot-nox:gnuplot
  nlohmann-json3-dev libcli11-dev libeigen3-dev libxtensor-dev libpng-dev libjpeg-dev libarchive-dev zlib1g-dev
  libgnuplot-iostream-dev libboost-iostreams-dev libboost-system-dev libboost-filesystem-dev
)
tests=("${quickstart[@]}" libboost-test-dev python3:python3 libopenmpi-dev:mpicxx.openmpi openmpi-bin:mpirun.openmpi
  libmpich-dev:mpicxx.mpich mpich:mpirun.mpich)
benchmarks=("${quickstart[@]}" libbenchmark-dev python3-torch python3-torchvision)
ci=("${tests[@]}" libbenchmark-dev clang:clang++ libclang-rt-dev clang-format:clang-format clang-tidy:clang-tidy
  shellcheck:shellcheck g++-aarch64-linux-gnu:aarch64-linux-gnu-g++ chromium:chromium
  fonts-dejavu-core fonts-liberation)

install=yes
wanted=()
for argument in "$@"; do
  case $argument in
    --no-install) install=no ;;
    --help | -h) usage; exit 0 ;;
    quickstart) wanted+=("${quickstart[@]}") ;;
    tests) wanted+=("${tests[@]}") ;;
    benchmarks) wanted+=("${benchmarks[@]}") ;;
    ci) wanted+=("${ci[@]}") ;;
    *) echo "setup.sh: unknown argument '$argument' (try --help)" >&2; exit 2 ;;
  esac
done
if [ ${#wanted[@]} -eq 0 ]; then
  usage >&2
  exit 2
fi

if ! command -v dpkg-query >/dev/null; then
  echo "setup.sh: not a Debian or Ubuntu system; the build needs what these packages hold: ${wanted[*]%%:*}" >&2
  exit 0
fi

present() {
  case $1 in
    *:*) command -v "${1#*:}" >/dev/null ;;
    *) [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ] ;;
  esac
}

missing=()
for entry in "${wanted[@]}"; do
  present "$entry" || missing+=("${entry%%:*}")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
if [ $install = no ]; then
  echo "setup.sh: missing packages: ${missing[*]}" >&2
  echo "setup.sh: install them with: apt-get install ${missing[*]}" >&2
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup.sh: installing needs root or sudo; as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup.sh: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "setup.sh: apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
