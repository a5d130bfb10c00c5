# What the studies of examples/ share; sourced by them after they have set name, purpose, default_epochs, default_out and
# all_models, and default_seeds where there is a choice. Parses the command line, builds, and gives train, draw, floor and
# print_table.
# shellcheck shell=bash disable=SC2034,SC2154 # those who source this set and use them

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

usage() {
  cat <<HELP
usage: bash examples/$name.sh [options]

$purpose
What stands in DIR already is not done again, and a training run that was interrupted is continued.

  --no-install   install no packages; stop if any is missing
  --data DATA    embedded, or a folder with the four IDX files (default data/mnist, see fetch_mnist.sh)
  --epochs N     epochs of training (default $default_epochs)
  --count N      samples of each row (default 10000)
  --threads N    0 for all CPUs (default)
  --only NAME    one model (may be repeated): ${all_models[*]}
${default_seeds:+  --seeds LIST   seeds of training, each a run, such as 0,1,2 (default $default_seeds)
}  --out DIR      where everything goes (default $default_out)
  --help         this text
HELP
}

install=()
only=()
data=data/mnist
epochs=$default_epochs
count=10000
threads=0
out=$default_out
seeds=${default_seeds:-}
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=(--no-install) ;;
    --data) data=${2:?--data needs a name}; shift ;;
    --epochs) epochs=${2:?--epochs needs a number}; shift ;;
    --count) count=${2:?--count needs a number}; shift ;;
    --threads) threads=${2:?--threads needs a number}; shift ;;
    --only) only+=("${2:?--only needs a model}"); shift ;;
    --seeds) seeds=${2:?--seeds needs numbers}; seeds=${seeds//,/ }; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "$name.sh: unknown argument '$1' (try --help)" >&2; exit 2 ;;
  esac
  shift
done
for model in "${only[@]}"; do
  case " ${all_models[*]} " in
    *" $model "*) ;;
    *) echo "$name.sh: --only: there is no model '$model' (try --help)" >&2; exit 2 ;;
  esac
done
[ ${#only[@]} -gt 0 ] || only=("${all_models[@]}")

bash examples/setup.sh "${install[@]}" quickstart
cmake -S . -B build/quickstart -G Ninja -DCOLDZOOM_BUILD_TESTS=OFF -DCOLDZOOM_BUILD_BENCHMARKS=OFF \
  --log-level=WARNING
cmake --build build/quickstart --target train train_zoom_nearest train_zoom_bilinear train_ddpm test_loss sample \
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

floor() { [ -e "$out/floor.json" ] || score floor train; }

# print_table RUN...: the losses of these runs, the floor, and all that was drawn from them; also in DIR/table.md.
print_table() {
  command -v python3 >/dev/null || { echo "$name.sh: the table needs python3; the scores are in $out/*.json" >&2; exit 1; }
  python3 - "$out" "$@" <<'PY' | tee "$out/table.md"
import json, math, re, sys
from pathlib import Path

out = Path(sys.argv[1])
runs = [run for run in sys.argv[2:] if (out / run / "test_loss.json").exists()]
columns = ["samples", "calls", "s per 1,000", "Frechet", "at infinite n", "KID x 1000", "precision", "recall", "density",
           "coverage", "class KL", "unconfident", "copies", "duplicates"]

def row(name, calls, scores, seconds):
    low, high = scores["frechet_infinity_interval"]
    digits = [("precision", 3), ("recall", 3), ("density", 3), ("coverage", 3), ("class_kl", 3), ("unconfident_share", 3),
              ("copy_share", 4), ("duplicate_share", 4)]
    cells = [name, calls, f"{1000 * seconds / scores['n']:.2f}" if seconds else "", f"{scores['frechet_distance']:.3f}",
             f"{scores['frechet_infinity']:.3f} ± {(high - low) / 2:.3f}",
             f"{1000 * scores['kid']:.1f} ± {1000 * scores['kid_error']:.1f}"]
    cells += [f"{scores[key]:.{places}f}" for key, places in digits]
    if not calls:
        cells[-2] = ""  # training images are copies of themselves
    print("| " + " | ".join(cells) + " |")

def parameters(run):
    with open(out / run / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")

print("| model | parameters | epochs | minutes of training | test loss | steps of each image |\n|---|---|---|---|---|---|")
for run in runs:
    log = [json.loads(line) for line in (out / run / "log.jsonl").read_text().splitlines()]
    found = json.loads((out / run / "test_loss.json").read_text())
    minutes = sum(line["seconds"] for line in log) / 60
    print(f"| {run} | {parameters(run):,} | {log[-1]['epoch']} | {minutes:.0f} | {found['test_loss']:.5f} | {found['draws']} |")
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
}
