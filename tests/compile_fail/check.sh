#!/usr/bin/env bash
# check.sh FILE: FILE must not compile, for the reason its first line states (`// expect: SENTENCE`), and must
# compile with -DPOSITIVE, which leaves out the mistake alone. Asked of g++ and clang++, whichever exist.
set -uo pipefail

export LC_ALL=C  # compilers say "error" in the language of the locale
file=$1
include=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../include" && pwd)
expected=$(sed -n '1s,^// expect: ,,p' "$file")
if [ -z "$expected" ]; then
  echo "$file: the first line must be '// expect: SENTENCE'" >&2
  exit 1
fi

failed=0
tried=0
fail() {
  printf '%s: %s\n%s\n' "$compiler" "$1" "$2" >&2
  failed=1
}

for compiler in g++ clang++; do
  if ! command -v "$compiler" >/dev/null; then
    echo "$compiler is not installed: not tried"
    continue
  fi
  tried=1
  compile=("$compiler" -std=c++20 -fsyntax-only -I "$include")
  if output=$("${compile[@]}" "$file" 2>&1); then
    fail "compiles although it must not" ""
  elif ! grep -E '(error|note): ' <<<"$output" | grep -F -- "$expected" >/dev/null; then  # not in a quoted source line
    fail "fails without the sentence '$expected'" "$output"
  fi
  output=$("${compile[@]}" -DPOSITIVE "$file" 2>&1) || fail "does not compile with -DPOSITIVE" "$output"
done
if [ $tried = 0 ]; then
  echo "neither g++ nor clang++ is installed" >&2
  exit 1
fi
exit $failed
