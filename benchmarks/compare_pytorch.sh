#!/usr/bin/env bash
# Training, sampling and zooming in ColdZoom and in PyTorch, side by side. --help lists the options.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Whoever names a Python has a PyTorch, and whoever names a program builds none.
packages=benchmarks
if [ -n "${PYTHON:-}" ]; then packages=quickstart; fi
for argument in "$@"; do
  case $argument in --program | --program=*) packages= ;; esac
done
if [ -n "$packages" ]; then bash "$here/../examples/setup.sh" "$packages"; fi
# Debian's Python, which has Debian's PyTorch; PYTHON names another.
exec "${PYTHON:-/usr/bin/python3}" "$here/compare_pytorch.py" "$@"
