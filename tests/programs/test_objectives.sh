#!/usr/bin/env bash
# Objectives of denoising diffusion: velocity with no signal left at T, self-conditioning, EDM.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

small=(--data "$data" --limit 256 --batch-size 64 --widths "4,3" --samples 4 --learning-rate 3e-3 --steps 40)
# run METHOD OUT OPTIONS...
run() { ok train --method "$1" "${small[@]}" --epochs 2 --out "$2" "${@:3}"; }
# draw MODEL OUT OPTIONS...
draw() { ok sample --model "$1/model.safetensors" --count 5 --out "$2" "${@:3}"; }
differ() { if cmp -s "$1" "$2"; then fail "$3"; fi; }

for kind in ddpm_velocity ddpm_self edm; do
  echo "-- $kind"
  run $kind $kind
  ok train --method $kind "${small[@]}" --epochs 1 --threads 1 --out again
  ok train --method $kind "${small[@]}" --epochs 2 --threads 1 --out again --resume
  same $kind/model.safetensors again/model.safetensors
  same $kind/samples-2.png again/samples-2.png
  rm -rf again
  case $kind in
    ddpm_velocity) samplers=(ddpm ddim dpm_solver) target=velocity ;;
    ddpm_self) samplers=(ddpm ddim) target=x0 ;;
    edm) samplers=(heun dpm_solver ddim) target=preconditioned ;;
  esac
  grep -qaF "\"target\":\"$target\"" $kind/model.safetensors || fail "the file of $kind does not say $target"
  draw $kind default.npy
  for sampler in "${samplers[@]}"; do
    draw $kind "$sampler.npy" --sampler "$sampler"
    draw $kind one.npy --sampler "$sampler" --threads 1
    same "$sampler.npy" one.npy
    draw $kind few.npy --sampler "$sampler" --sampling-steps 6
    differ "$sampler.npy" few.npy "--sampling-steps does nothing to $sampler"
  done
  same default.npy "${samplers[0]}.npy"
  differ "${samplers[0]}.npy" "${samplers[1]}.npy" "both samplers of $kind give the same"
  draw $kind degraded.npy --latent degraded --data "$data"
  differ default.npy degraded.npy "--latent does nothing to $kind"
  ok test_loss --model $kind/model.safetensors --data "$data" --limit 64
  ok pixel_distribution --data "$data" --limit 200 --kind $kind
  run $kind weighted --weighting min-snr
  differ $kind/model.safetensors weighted/model.safetensors "--weighting does nothing to $kind"
  rm -rf weighted
done

echo "-- numbers of edm"
draw edm 35.npy --sampling-steps 35
draw edm still.npy
same 35.npy still.npy
draw edm churn.npy --churn 30
differ still.npy churn.npy "--churn does nothing"
run edm near --sigma-max 10 --rho 3
differ edm/model.safetensors near/model.safetensors "--sigma-max and --rho do nothing"
expect "--sigma-max: found 20000" train --method edm "${small[@]}" --sigma-max 20000 --out bad
expect "--rho: found 0.5" train --method edm "${small[@]}" --rho 0.5 --out bad
expect "sigma_max is 0.0005" train --method edm "${small[@]}" --sigma-max 0.001 --out bad
expect "sigma_max = 80" train --method edm "${small[@]}" --epochs 3 --sigma-max 10 --out edm --resume
expect "only the heun sampler has one" sample --model edm/model.safetensors --sampler ddim --churn 3
expect "no sampler of a ddpm_velocity model has one" sample --model ddpm_velocity/model.safetensors --churn 3
expect "a ddpm_velocity model predicts the velocity" sample --model ddpm_velocity/model.safetensors --sampler heun
echo "all as it should be"
