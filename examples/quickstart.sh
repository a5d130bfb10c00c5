#!/usr/bin/env bash
# From a clone to digits: installs what is missing, builds, trains on the embedded digits, samples.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: bash examples/quickstart.sh [--no-install] [--epochs N] [--out DIR]

Builds the example programs, trains Cold Zoom Diffusion on 10,000 embedded MNIST digits, draws new ones and scores
them. Leaves samples.png, progression.png, loss.png, metrics.json and report.html, a page of all results, in DIR
(out/quickstart). The last lines say where they are and how good they are. A training run that was interrupted is
continued.

  --no-install   install no packages; stop if any is missing
  --epochs N     epochs of training (default 40)
  --out DIR      where the results go (default out/quickstart)
  --help         this text
HELP
}

cd "$(dirname "$0")/.."
install=()
epochs=40
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
cmake --build build/quickstart --target train_zoom_nearest sample evaluate summarize_run report
bin=build/quickstart/examples

echo "== train"
run=$out/run
resume=()
if compgen -G "$run/checkpoint-*/state.safetensors" >/dev/null; then resume=(--resume); fi
# A short run on few images: a rate ten times the original's that falls to zero, and averaged weights.
"$bin/train_zoom_nearest" --data embedded --epochs "$epochs" --learning-rate 3e-3 --decay cosine --warmup 100 \
  --ema 0.995 --out "$run" "${resume[@]}"
echo "== sample"
draw() { "$bin/sample" --model "$run/model.safetensors" --latent patches "$@" >/dev/null; }
draw --count 100 --out "$out/samples.npy" --png "$out/samples.png" --steps-png "$out/progression.png"
# The pictures show the first 100 of these.
draw --count 1000 --out "$out/samples.npy"
echo "== evaluate"
"$bin/evaluate" --samples "$out/samples.npy" --data embedded --json "$out/scores.json" >/dev/null
"$bin/evaluate" --samples train --count 1000 --data embedded --json "$out/real_digits.json" >/dev/null
"$bin/report" --runs "$run" --samples "$out/samples.npy" --scores "$out/scores.json" --floor "$out/real_digits.json" \
  --title "Quickstart" --out "$out/report.html" >/dev/null
summary=$("$bin/summarize_run" --run "$run" --png "$out/loss.png" --json "$out/metrics.json" \
  --scores "$out/scores.json" --floor "$out/real_digits.json")

echo
echo "Digits:          $out/samples.png"
echo "How they grow:   $out/progression.png"
echo "Loss:            $out/loss.png"
echo "Numbers:         $out/metrics.json"
echo "All on one page: $out/report.html"
echo "Loss is the mean squared error of the restored digit, pixels in [-0.5, 0.5]."
echo "$summary"
