#!/usr/bin/env bash
# The programs with --backend cuda: on a device they train and draw, elsewhere they say what is missing.
# Skips where the programs were built for the CPU alone.
set -euo pipefail

if ! grep -q '^COLDZOOM_CUDA:STRING=ON$' "${COLDZOOM_BUILD_DIR:?}/CMakeCache.txt"; then
  echo "skipped: the programs were built without COLDZOOM_CUDA=ON"
  exit 77
fi
bin=$COLDZOOM_BUILD_DIR/examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

if "$bin/train_zoom_nearest" --backend cuda --smoke --out run >log.txt 2>&1; then
  grep -q "CUDA device 0" log.txt
  "$bin/sample" --model run/model.safetensors --backend cuda --count 40 --out device.npy
  "$bin/sample" --model run/model.safetensors --backend cpu --count 40 --out host.npy
  "$bin/train_classifier" --backend cuda --smoke --out classifier
  test -s device.npy
  test "$(stat -c %s device.npy)" = "$(stat -c %s host.npy)"
else
  cat log.txt
  grep -q "^error: cuda_backend: .*no CUDA device was found" log.txt
  test ! -e run
fi
