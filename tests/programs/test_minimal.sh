#!/usr/bin/env bash
# The small programs: each is one file of at most 40 lines that includes nothing but the library, and does what it says.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

echo "-- their size and what they include"
count=0
for file in "$COLDZOOM_SOURCE_DIR"/examples/minimal/*.cpp; do
  count=$((count + 1))
  [ "$(wc -l <"$file")" -le 40 ] || fail "$file has more than 40 lines"
  if grep -E '^#include' "$file" | grep -vE '<(coldzoom/[a-z_/]+\.hpp|[a-z]+)>'; then
    fail "$file includes more than the library"
  fi
done
[ $count = 8 ] || fail "there are $count small programs, wanted 8"

echo "-- those that take seconds"
"$bin/minimal_files" >log.txt || fail "files"
grep -q "gradient.npy holds 4096 values of rank 3" log.txt || fail "files: $(cat log.txt)"
grep -q "found no array 'weights'" log.txt || fail "files says nothing of an absent array"
for file in gradient.npy gradient.png gradient.safetensors; do [ -s "$file" ] || fail "files wrote no $file"; done

"$bin/minimal_own_degradation" >log.txt || fail "own_degradation"
python3 - <<'PY' || fail "own_degradation learns nothing: $(cat log.txt)"
losses = [float(line.split()[-1]) for line in open("log.txt")]
assert len(losses) == 2 and losses[1] < 0.75 * losses[0], losses
PY

"$bin/minimal_resume" "$data" state.safetensors >log.txt || fail "resume"
"$bin/minimal_resume" "$data" state.safetensors >>log.txt || fail "resume from a checkpoint"
grep -q "1 epochs are done" log.txt || fail "resume does not go on: $(cat log.txt)"
grep -q "epoch 2, loss" log.txt || fail "resume trains no second epoch: $(cat log.txt)"
echo "all as it should be"
