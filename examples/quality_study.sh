#!/usr/bin/env bash
# The rows of docs/quality.md: soft frontiers and their rivals, trained alike, drawn from and scored.
set -euo pipefail

name=quality_study
purpose="Trains each model with the same U-Net for the same time (the small CNN for about the same time), draws samples in few
and in many calls, scores them against the test split, and prints one row for each. A run is half an hour of one
thread; several may run beside each other with --only."
default_epochs=8
default_seeds=0
default_out=out/quality
all_models=(frontier_labels flow_labels ddpm_labels frontier flow ddpm frontier_4 frontier_8 frontier_8_labels masked energy
  inpaint inpaint_frontier cnn_labels cnn)
# shellcheck source=examples/common/study.sh
. "$(dirname "${BASH_SOURCE[0]}")/common/study.sh"

common=(--batch-size 32 --learning-rate 2e-3 --decay cosine --warmup 200 --clip-norm 1 --ema 0.9995)
unet=("${common[@]}" --network unet --widths "16,48,96" --bottom-blocks 3)
# All blocks at full size: no bottleneck.
cnn=("${common[@]}" --network unet --widths 24 --kernels 7 --bottom-blocks 4)

few_calls() { # RUN
  local calls
  for calls in 24 12 8 4; do draw "$1" "$calls" --sampling-steps $calls; done
}
ddpm_calls() { # RUN
  local calls
  for calls in 24 12 8; do draw "$1" "$calls" --sampler dpm_solver --sampling-steps $calls; done
  draw "$1" ddim-24 --sampler ddim --sampling-steps 24
  draw "$1" 1000 --sampler ddpm
}
ring_calls() { # RUN: rings of a mask
  local calls
  for calls in 24 12 8; do draw "$1" "$calls" --sampling-steps $calls; done
}

floor
runs=()
for model in "${only[@]}"; do
  for seed in $seeds; do
    run=$model-$seed
    runs+=("$run")
    of() { train "$run" train --seed "$seed" --method "$@"; }
    case $model in
      frontier_8_labels) of zoom_frontier "${unet[@]}" --frontier-rings 8 --labels && few_calls "$run" ;;
      frontier_8) of zoom_frontier "${unet[@]}" --frontier-rings 8 && few_calls "$run" ;;
      frontier_labels) of zoom_frontier "${unet[@]}" --labels && few_calls "$run" && draw "$run" guided --guidance 1.5 ;;
      frontier) of zoom_frontier "${unet[@]}" && few_calls "$run" ;;
      frontier_4) of zoom_frontier "${unet[@]}" --frontier-rings 4 && few_calls "$run" ;;
      flow_labels) of flow "${unet[@]}" --labels && few_calls "$run" && draw "$run" guided --guidance 1.5 ;;
      flow) of flow "${unet[@]}" && few_calls "$run" ;;
      ddpm_labels) of ddpm_cosine "${unet[@]}" --labels && ddpm_calls "$run" ;;
      ddpm) of ddpm_cosine "${unet[@]}" && ddpm_calls "$run" ;;
      masked) of zoom_masked "${unet[@]}" && ring_calls "$run" ;;
      energy) of zoom_energy "${unet[@]}" && ring_calls "$run" ;;
      inpaint) of inpaint "${unet[@]}" && draw "$run" 28 ;;
      inpaint_frontier) of inpaint_frontier "${unet[@]}" && few_calls "$run" ;;
      cnn_labels) of zoom_frontier "${cnn[@]}" --labels && few_calls "$run" && draw "$run" guided --guidance 1.5 ;;
      cnn) of zoom_frontier "${cnn[@]}" && few_calls "$run" ;;
      *) echo "$name.sh: no recipe for $model" >&2; exit 1 ;;
    esac
  done
done
print_table "${runs[@]}"
