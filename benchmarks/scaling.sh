#!/usr/bin/env bash
# How the speed of training grows with batch, image, channels and threads: a table in JSON and a picture.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
  cat <<'HELP'
usage: bash benchmarks/scaling.sh [--json FILE] [--picture FILE] [--seconds S]

  --json FILE     the measurements (default: build/benchmarks-native/scaling.json)
  --picture FILE  the picture (default: docs/images/scaling.png)
  --seconds S     of each of the measurements, about 60 (default: 1)
HELP
}

build=$root/build/benchmarks-native
json=$build/scaling.json
picture=$root/docs/images/scaling.png
seconds=1
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --json | --picture | --seconds)
      [ $# -ge 2 ] || { echo "scaling.sh: $1 wants a value (try --help)" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2 ;;
    *) echo "scaling.sh: unknown argument '$1' (try --help)" >&2; exit 2 ;;
  esac
done

bash "$root/examples/setup.sh" quickstart
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_EXAMPLES=OFF >/dev/null
cmake --build "$build" --target bench_scaling
mkdir -p "$(dirname "$json")" "$(dirname "$picture")"
"$build/benchmarks/bench_scaling" "$build/scaling.data" "$seconds" | tee "$json"
gnuplot -e "data='$build/scaling.data'; picture='$picture'; cpus=$(nproc)" "$root/benchmarks/scaling.gnuplot"
echo "wrote $json and $picture"
