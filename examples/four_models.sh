#!/usr/bin/env bash
# The original project's four models: trains, samples and scores them, and prints the table of docs/results.
set -euo pipefail

name=four_models
purpose="Trains zoom_nearest (two seeds), zoom_bilinear, ddpm_linear and ddpm_cosine with the settings of the original project,
draws samples in every way that docs/results/four_models.md lists, scores them against the test split, and prints one
row for each."
default_epochs=100
default_out=out/four_models
all_models=(zoom_nearest zoom_bilinear ddpm_linear ddpm_cosine)
# shellcheck source=examples/common/study.sh
. "$(dirname "${BASH_SOURCE[0]}")/common/study.sh"

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

floor
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
  esac
done

print_table zoom_nearest zoom_nearest_seed1 zoom_bilinear ddpm_linear ddpm_cosine
