#!/usr/bin/env bash
# The C++ blocks of README.md are compiled code; and the script that says so refuses a block that is not.
set -euo pipefail

source_dir=${COLDZOOM_SOURCE_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
check=$source_dir/tests/check_readme.py
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/examples"
printf 'int a;\n  // [readme: one]\n  int b;\n    int c;\n  // [readme: end]\nint d;\n' >"$work/examples/program.cpp"
# shellcheck disable=SC2016  # the backquotes are Markdown's
printf '```cpp\nint b;\n  int c;\n```\n' >"$work/README.md"
python3 "$check" "$work" >/dev/null
for wrong in 'int b;\n' 'int b;\nint c;\n' 'int a;\n'; do
  # shellcheck disable=SC2016,SC2059
  printf '```cpp\n'"$wrong"'```\n' >"$work/README.md"
  if python3 "$check" "$work" 2>/dev/null; then
    echo "a block that is no piece of a program was accepted: $wrong" >&2
    exit 1
  fi
done

if [ ! -e "$source_dir/README.md" ]; then
  echo "there is no README.md"
  exit 77
fi
python3 "$check" "$source_dir"
