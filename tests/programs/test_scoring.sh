#!/usr/bin/env bash
# The programs that score, from outside: what they write, that they repeat and resume to the bit, what they say to bad
# input.
set -euo pipefail
bin=${COLDZOOM_BUILD_DIR:?}/examples
data=${COLDZOOM_SOURCE_DIR:?}/examples/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() { echo "FAILED: $*" >&2; exit 1; }
do_run() { "$bin/$1" "${@:2}" >>log.txt 2>&1 || fail "$*: $(tail -n 3 log.txt)"; }
same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }
# expect WORDS PROGRAM ARGUMENTS: fails by itself (no signal), with one sentence on stderr that holds WORDS.
expect() {
  local words=$1 program=$2 code=0
  shift 2
  "$bin/$program" "$@" >/dev/null 2>err.txt || code=$?
  [ "$code" = 1 ] || [ "$code" = 2 ] || fail "exit code $code from: $program $*: $(cat err.txt)"
  grep -qF -- "$words" err.txt || fail "no '$words' in the message of: $program $*: $(cat err.txt)"
  [ "$(grep -vc 'Run with --help' err.txt)" = 1 ] || fail "not one sentence from: $program $*: $(cat err.txt)"
}

echo "-- train_classifier"
smoke=(--data "$data" --smoke)
do_run train_classifier "${smoke[@]}" --out whole --threads 2
do_run train_classifier "${smoke[@]}" --out one --threads 1
same whole/model.safetensors one/model.safetensors
rm -r one/checkpoint-2
do_run train_classifier "${smoke[@]}" --out one --resume
same whole/model.safetensors one/model.safetensors
same whole/checkpoint-2/state.safetensors one/checkpoint-2/state.safetensors
[ "$(wc -l <one/log.jsonl)" = 2 ] || fail "log.jsonl has not one line an epoch"
expect "holds a run already" train_classifier "${smoke[@]}" --out whole
expect "this run has 3" train_classifier "${smoke[@]}" --out whole --resume --seed 3
expect "--shift" train_classifier "${smoke[@]}" --out bad --shift -1
expect "--learning-rate" train_classifier "${smoke[@]}" --out bad --learning-rate nan
expect "--batch-size" train_classifier "${smoke[@]}" --out bad --batch-size 513
expect "not finite" train_classifier "${smoke[@]}" --out bad --learning-rate 1e38

echo "-- help"
for program in train_classifier; do
  "$bin/$program" --help | grep -q "Usage" || fail "$program --help"
done
echo "all as it should be"
