#!/usr/bin/env bash
# From a clone to digits: installs what is missing, builds, draws from the model that is here, trains another.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: bash examples/quickstart.sh [--no-install] [--epochs N] [--out DIR]

Builds the example programs, draws digits from the model that comes with the repository, trains a model of its own on
10,000 embedded MNIST digits in two or three minutes, draws from that too, and scores both. Leaves digits.png (both
beside real digits), shipped.png, progression.png, loss.png, metrics.json and report.html, a page of all results, in
DIR (out/quickstart). The last lines say where they are and how good they are. A training run that was interrupted is
continued.

  --no-install   install no packages; stop if any is missing
  --epochs N     epochs of training (default 10)
  --out DIR      where the results go (default out/quickstart)
  --help         this text
HELP
}

cd "$(dirname "$0")/.."
install=()
epochs=10
out=out/quickstart
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=(--no-install) ;;
    --epochs) epochs=${2:?--epochs needs a number}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "quickstart.sh: unknown argument '$1' (try --help)" >&2; exit 2 ;;
  esac
  shift
done

echo "== packages"
bash examples/setup.sh "${install[@]}" quickstart
echo "== build"
cmake -S . -B build/quickstart -G Ninja -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF \
  --log-level=WARNING
cmake --build build/quickstart --target train_zoom_nearest sample evaluate show_samples summarize_run report
bin=build/quickstart/examples

mkdir -p "$out"
# Digits of all classes in turn, guided, each a zoom out of the middle of an embedded digit of its class.
draw() { # MODEL COUNT NAME [more]
  "$bin/sample" --model "$1" --data embedded --class 0,1,2,3,4,5,6,7,8,9 --guidance 1.5 --count "$2" \
    --out "$out/$3.npy" "${@:4}"
}
echo "== digits of the model that is here"
shipped=examples/data/zoom_digits.safetensors
draw "$shipped" 100 shipped --png "$out/shipped.png" --steps-png "$out/progression.png"
draw "$shipped" 1000 shipped >/dev/null

echo "== train another"
run=$out/small
resume=()
if compgen -G "$run/checkpoint-*/state.safetensors" >/dev/null; then resume=(--resume); fi
"$bin/train_zoom_nearest" --recipe small --data embedded --epochs "$epochs" --samples 16 --out "$run" "${resume[@]}"
draw "$run/model.safetensors" 1000 samples >/dev/null

echo "== evaluate"
score() { # SAMPLES NAME [more]
  "$bin/evaluate" --samples "$1" --data embedded --json "$out/$2.json" "${@:3}" >/dev/null
}
score "$out/shipped.npy" shipped_scores
score "$out/samples.npy" scores
score train real_digits --count 1000
"$bin/show_samples" --samples "$out/shipped.npy" "$out/samples.npy" --names "the model that is here" \
  "trained just now" --real embedded --out "$out/digits.png" >/dev/null
"$bin/report" --runs "$run" --samples "$out/samples.npy" --scores "$out/scores.json" --floor "$out/real_digits.json" \
  --title "Quickstart" --out "$out/report.html" >/dev/null
summary=$("$bin/summarize_run" --run "$run" --png "$out/loss.png" --json "$out/metrics.json" \
  --scores "$out/scores.json" --floor "$out/real_digits.json")

echo
echo "Digits:          $out/digits.png (both models beside real digits, unselected)"
echo "How they grow:   $out/progression.png"
echo "Loss:            $out/loss.png"
echo "Numbers:         $out/metrics.json (of the new model), $out/shipped_scores.json"
echo "All on one page: $out/report.html"
echo "Loss is the mean squared error of the flow, noise less digit, on the frontier; pixels in [-0.5, 0.5]."
echo "$summary"
