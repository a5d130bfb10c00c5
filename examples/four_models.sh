#!/usr/bin/env bash
# The original project's four models: trains, samples and scores them, and prints the table of docs/results.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: bash examples/four_models.sh [options]

Trains zoom_nearest (two seeds), zoom_bilinear, ddpm_linear and ddpm_cosine with the settings of the original project,
draws samples in every way that docs/results/four_models.md lists, scores them against the test split, and prints one
row for each. What stands in DIR already is not done again, and a training run that was interrupted is continued.

  --no-install   install no packages; stop if any is missing
  --data DATA    embedded, or a folder with the four IDX files (default data/mnist, see fetch_mnist.sh)
  --epochs N     epochs of training (default 100)
  --count N      samples of each row (default 10000)
  --threads N    0 for all CPUs (default)
  --only NAME    one model: zoom_nearest, zoom_bilinear, ddpm_linear or ddpm_cosine (may be repeated)
  --out DIR      where everything goes (default out/four_models)
  --help         this text
HELP
}

cd "$(dirname "$0")/.."
install=()
only=()
data=data/mnist
epochs=100
count=10000
threads=0
out=out/four_models
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=(--no-install) ;;
    --data) data=${2:?--data needs a name}; shift ;;
    --epochs) epochs=${2:?--epochs needs a number}; shift ;;
    --count) count=${2:?--count needs a number}; shift ;;
    --threads) threads=${2:?--threads needs a number}; shift ;;
    --only) only+=("${2:?--only needs a model}"); shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "four_models.sh: unknown argument '$1' (try --help)" >&2; exit 2 ;;
  esac
  shift
done
[ ${#only[@]} -gt 0 ] || only=(zoom_nearest zoom_bilinear ddpm_linear ddpm_cosine)

bash examples/setup.sh "${install[@]}" quickstart
cmake -S . -B build/quickstart -G Ninja -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF \
  --log-level=WARNING
cmake --build build/quickstart --target train_zoom_nearest train_zoom_bilinear train_ddpm test_loss sample \
  evaluate
bin=build/quickstart/examples
mkdir -p "$out"

# train RUN PROGRAM OPTIONS...: the run, and the loss of its model.
train() {
  local run=$out/$1 program=$2 resume=()
  shift 2
  if [ ! -e "$run/checkpoint-$epochs/model.safetensors" ]; then
    if compgen -G "$run/checkpoint-*/state.safetensors" >/dev/null; then resume=(--resume); fi
    "$bin/$program" --data "$data" --epochs "$epochs" --threads "$threads" --out "$run" "${resume[@]}" "$@"
    rm -f "$run/test_loss.json"
  fi
  [ -e "$run/test_loss.json" ] ||
    "$bin/test_loss" --model "$run/model.safetensors" --data "$data" --threads "$threads" --json "$run/test_loss.json"
}

score() { # NAME SAMPLES
  "$bin/evaluate" --samples "$2" --data "$data" --count "$count" --threads "$threads" --json "$out/$1.json" >/dev/null
}

# draw RUN NAME OPTIONS...: samples and their scores.
draw() {
  local run=$out/$1 name=$1-$2
  shift 2
  [ ! -e "$out/$name.json" ] || return 0
  "$bin/sample" --model "$run/model.safetensors" --data "$data" --count "$count" --threads "$threads" \
    --out "$out/$name.npy" --png "$out/$name.png" "$@" | tee "$out/$name.txt"
  score "$name" "$out/$name.npy"
}

zoom_samples() { # RUN
  local latent sampler
  for latent in histogram patches; do
    for sampler in naive tacos; do draw "$1" "$latent-$sampler" --latent $latent --sampler $sampler; done
  done
}

# Clipped to the range of pixels in the rows of few calls; the original's own way is all 1,000 without.
ddpm_samples() { # RUN
  local calls
  for calls in 24 50 250; do draw "$1" "ddim-$calls" --sampler ddim --sampling-steps $calls; done
  draw "$1" "ancestral-1000" --sampler ddpm --no-clip
}

[ -e "$out/floor.json" ] || score floor train
for model in "${only[@]}"; do
  case $model in
    zoom_nearest)
      train zoom_nearest train_zoom_nearest --seed 0
      zoom_samples zoom_nearest
      train zoom_nearest_seed1 train_zoom_nearest --seed 1
      draw zoom_nearest_seed1 histogram-naive --latent histogram --sampler naive
      ;;
    zoom_bilinear)
      train zoom_bilinear train_zoom_bilinear --seed 0
      zoom_samples zoom_bilinear
      ;;
    ddpm_linear)
      train ddpm_linear train_ddpm --schedule linear --last-step 999 --seed 0
      ddpm_samples ddpm_linear
      ;;
    ddpm_cosine)
      train ddpm_cosine train_ddpm --schedule cosine --beta-max 0.02 --last-step 999 --seed 0
      ddpm_samples ddpm_cosine
      ;;
    *) echo "four_models.sh: --only: there is no model '$model' (try --help)" >&2; exit 2 ;;
  esac
done

command -v python3 >/dev/null || { echo "four_models.sh: the table needs python3; the scores are in $out/*.json" >&2; exit 1; }
python3 - "$out" <<'PY' | tee "$out/table.md"
import json, re, sys
from pathlib import Path

out = Path(sys.argv[1])
runs = [run for run in ("zoom_nearest", "zoom_nearest_seed1", "zoom_bilinear", "ddpm_linear", "ddpm_cosine")
        if (out / run / "test_loss.json").exists()]
columns = ["samples", "calls", "s per 1,000", "Frechet", "at infinite n", "KID x 1000", "precision", "recall", "density",
           "coverage", "class KL", "unconfident", "copies"]

def row(name, calls, scores, seconds):
    low, high = scores["frechet_infinity_interval"]
    digits = [("precision", 3), ("recall", 3), ("density", 3), ("coverage", 3), ("class_kl", 3), ("unconfident_share", 3),
              ("copy_share", 4)]
    cells = [name, calls, f"{1000 * seconds / scores['n']:.2f}" if seconds else "", f"{scores['frechet_distance']:.2f}",
             f"{scores['frechet_infinity']:.2f} ± {(high - low) / 2:.2f}",
             f"{1000 * scores['kid']:.1f} ± {1000 * scores['kid_error']:.1f}"]
    cells += [f"{scores[key]:.{places}f}" for key, places in digits]
    if not calls:
        cells[-1] = ""  # training images are copies of themselves
    print("| " + " | ".join(cells) + " |")

print("| model | epochs | test loss | steps of each image |\n|---|---|---|---|")
for run in runs:
    log = [json.loads(line) for line in (out / run / "log.jsonl").read_text().splitlines()]
    found = json.loads((out / run / "test_loss.json").read_text())
    print(f"| {run} | {log[-1]['epoch']} | {found['test_loss']:.5f} | {found['draws']} |")
floor = json.loads((out / "floor.json").read_text())
print(f"\nn = {floor['n']}; {floor['reference']}; {floor['features']}\n")
print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
row("real training digits", "", floor, None)
for run in runs:
    for path in sorted(out.glob(f"{run}-*.json"), key=lambda path: path.stat().st_mtime):
        told = path.with_suffix(".txt").read_text()
        calls = re.search(r"(\d+) network calls", told)[1]
        row(path.stem, calls, json.loads(path.read_text()), float(re.search(r"samples in ([\d.]+) s", told)[1]))
PY
