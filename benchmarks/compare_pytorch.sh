#!/usr/bin/env bash
# Training, sampling and zooming in ColdZoom and in PyTorch, side by side. --help lists the options.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

bash "$here/../examples/setup.sh" benchmarks
# Debian's Python, which has Debian's PyTorch; PYTHON names another.
exec "${PYTHON:-/usr/bin/python3}" "$here/compare_pytorch.py" "$@"
