#!/usr/bin/env bash
# Checks every tracked C++ file with clang-format and every tracked shell script with shellcheck.
# `tests/check_format.sh --fix` formats the C++ files instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(--dry-run -Werror)
case ${1:-} in
  "") ;;
  --fix) mode=(-i) ;;
  *) echo "usage: bash tests/check_format.sh [--fix]" >&2; exit 2 ;;
esac
git ls-files -z '*.hpp' '*.cpp' '*.cuh' '*.cu' | xargs -0 --no-run-if-empty clang-format "${mode[@]}"
git ls-files -z '*.sh' .ci/run | xargs -0 --no-run-if-empty shellcheck
