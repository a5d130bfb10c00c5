#!/usr/bin/env bash
# The pictures of docs/degradations.md: what every method of the table does to the same images, and what small networks bring
# back.
set -euo pipefail

usage() {
  cat <<HELP
usage: bash examples/degradations.sh [--data NAME] [--epochs N] [--share S] [--out FOLDER] [--bin FOLDER] [OPTION...]

Draws OUT/progressions.png, all degradations of the table on one test image; trains a small network to undo each, into OUT/NAME;
and draws OUT/restorations.png, three test images degraded by a share of the steps and restored, with scores in
OUT/restorations.txt. Methods that do not take such images are left out. Models that are there already are kept. Further options
go to train; about 20 s a method with one thread and the embedded digits.
HELP
}

data=embedded epochs=3 share=0.6 out=out/degradations
bin=$(dirname "${BASH_SOURCE[0]}")/../build/release/examples
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --data) data=${2:?--data needs a name}; shift ;;
    --epochs) epochs=${2:?--epochs needs a number}; shift ;;
    --share) share=${2:?--share needs a number}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    --bin) bin=${2:?--bin needs a folder}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) options+=("$1") ;;
  esac
  shift
done

mkdir -p "$out"
"$bin/plot_schedules" --data "$data" --images 1 --columns 9 --out "$out"
models=
for method in $("$bin/train" --list | sed -n '/^methods/,/^networks/s/^  \([a-z0-9_]*\) .*/\1/p'); do
  if [ ! -e "$out/$method/checkpoint-$epochs" ]; then
    rm -rf "${out:?}/$method"
    # Noise is learnt slower than the rest, and the programs' own defaults are for long runs.
    said=$("$bin/train" --method "$method" --data "$data" --epochs "$epochs" --learning-rate 2e-3 --decay cosine --samples 0 \
      --out "$out/$method" "${options[@]}" 2>&1) || {
      case $said in
        *"channels; this degradation wants"*) rm -rf "${out:?}/$method"; continue ;;
        *) echo "$said" >&2; exit 1 ;;
      esac
    }
  fi
  models+=${models:+,}$out/$method/model.safetensors
done
"$bin/plot_restorations" --models "$models" --share "$share" --out "$out/restorations.png" | tee "$out/restorations.txt"
