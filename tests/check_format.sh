#!/usr/bin/env bash
# Checks every tracked C++ file with clang-format and every tracked shell script with shellcheck.
# `tests/check_format.sh --fix` formats the C++ files instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fix=no
case ${1:-} in
  "") ;;
  --fix) fix=yes ;;
  *) echo "usage: bash tests/check_format.sh [--fix]" >&2; exit 2 ;;
esac

mapfile -t sources < <(git ls-files '*.hpp' '*.cpp' '*.cuh' '*.cu')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
if [ $fix = yes ]; then
  clang-format -i "${sources[@]}"
  exit
fi

# Not `clang-format --dry-run -Werror`: version 14 complains of our namespaces' closing comments, which it leaves as
# they are.
wrong=0
for source in "${sources[@]}"; do
  clang-format "$source" | diff -u --label "$source" --label "$source, formatted" "$source" - || wrong=$((wrong + 1))
done
echo "check_format: ${#sources[@]} C++ files, $wrong to format"
shellcheck -x "${scripts[@]}"
# `grep -q` leaves at its first match; the program before it may then be stopped by the pipe, and the line fails by
# chance under pipefail.
if grep -nE '\| *grep -[a-zA-Z]*q' "${scripts[@]}"; then
  echo "check_format: the lines above read a pipe with grep -q; read a file instead" >&2
  wrong=$((wrong + 1))
fi
[ $wrong = 0 ]
