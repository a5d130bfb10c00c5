#!/usr/bin/env bash
# Users of g++ may compile with -Wsign-conversion: these folders give no warning then.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
folders="core|data|degradation|initial_state|interop|interpolation|io|metrics|schedule|testing"
if ! command -v g++ >/dev/null; then
  echo "skipped: no g++"
  exit 77
fi

# Compiled in full, so that templates are instantiated. The other folders still give such warnings.
output=$(g++ -std=c++20 -Wall -Wextra -Wconversion -Wsign-conversion -I "$source_dir/include" \
  -isystem /usr/include/eigen3 -c "$source_dir/tests/install/sign_conversion.cpp" -o /dev/null 2>&1) ||
  { echo "$output"; exit 1; }
if grep -E "include/coldzoom/($folders)/.*warning: " <<<"$output"; then
  exit 1
fi
