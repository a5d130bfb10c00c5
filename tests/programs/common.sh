#!/usr/bin/env bash
# What the tests of programs share; sourced. Leaves the caller in an empty folder that goes at the end.
# shellcheck disable=SC2034 # used by those who source this
bin=${COLDZOOM_BUILD_DIR:?}/examples
data=${COLDZOOM_SOURCE_DIR:?}/examples/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() { echo "FAILED: $*" >&2; exit 1; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }
# ok PROGRAM ARGUMENTS: must succeed; what it prints goes to log.txt.
ok() { "$bin/$1" "${@:2}" >>log.txt 2>&1 || fail "$*: $(tail -n 3 log.txt)"; }
# helps PROGRAM...: each prints its usage with --help.
helps() {
  local program
  echo "-- help"
  for program in "$@"; do
    "$bin/$program" --help >help.txt || fail "$program --help: exit code $?"
    grep -q "Usage" help.txt || fail "$program --help: $(cat help.txt)"
  done
}
# expect WORDS PROGRAM ARGUMENTS: fails by itself (no signal), with one sentence on stderr that holds WORDS.
expect() {
  local words=$1 program=$2 code=0
  shift 2
  "$bin/$program" "$@" >/dev/null 2>err.txt || code=$?
  [ "$code" = 1 ] || [ "$code" = 2 ] || fail "exit code $code from: $program $*: $(cat err.txt)"
  grep -qF -- "$words" err.txt || fail "no '$words' in the message of: $program $*: $(cat err.txt)"
  [ "$(grep -vc 'Run with --help' err.txt)" = 1 ] || fail "not one sentence from: $program $*: $(cat err.txt)"
}
