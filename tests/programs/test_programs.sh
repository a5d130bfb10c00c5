#!/usr/bin/env bash
# The programs from outside: what they write, that they repeat and resume to the bit, and what they say to bad input.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

# A small network on few digits: seconds in all.
small=(--data "$data" --limit 320 --batch-size 64 --widths "5,4" --samples 9)
run=(--epochs 3 --learning-rate 3e-3 --decay cosine --warmup 2 --ema 0.9)
train() { ok train_zoom_nearest "${small[@]}" "${run[@]}" "$@"; }

echo "-- one run"
train --out whole --threads 2
for file in model.safetensors log.jsonl samples-1.png samples-3.png checkpoint-3/state.safetensors \
  checkpoint-1/model.safetensors; do
  [ -s "whole/$file" ] || fail "no whole/$file"
done
[ "$(wc -l <whole/log.jsonl)" = 3 ] || fail "log.jsonl has not one line an epoch"
python3 - <<'PY' || fail "log.jsonl is not as documented"
import json
for i, line in enumerate(open("whole/log.jsonl"), 1):
    entry = json.loads(line)
    assert entry["epoch"] == i and entry["train_loss"] > 0 and entry["test_loss"] > 0
    assert entry["images_per_second"] > 0 and entry["seconds"] > 0
PY

echo "-- the same bits on one thread"
train --out one --threads 1
same whole/model.safetensors one/model.safetensors
same whole/checkpoint-3/state.safetensors one/checkpoint-3/state.safetensors

echo "-- the same bits after a kill and --resume"
# Kill without warning once the first checkpoint stands, wherever the program is by then.
"$bin/train_zoom_nearest" "${small[@]}" "${run[@]}" --out killed >>log.txt 2>&1 &
child=$!
for _ in $(seq 3000); do [ -e killed/checkpoint-1/state.safetensors ] && break; sleep 0.01; done
kill -9 "$child" 2>/dev/null || true
wait "$child" 2>/dev/null || true
rm -rf killed/checkpoint-3 # if it was faster than the kill, the last epoch is lost all the same
mkdir -p killed/checkpoint-9.partial
train --out killed --resume
same whole/model.safetensors killed/model.safetensors
same whole/checkpoint-3/state.safetensors killed/checkpoint-3/state.safetensors
[ "$(wc -l <killed/log.jsonl)" = 3 ] || fail "the log of the resumed run has not one line an epoch"
[ ! -e killed/checkpoint-9.partial ] || fail "a half-written checkpoint was left behind"

echo "-- a run goes on with the same data under another path, and not with other data under the same"
cp -r "$data" moved
elsewhere=(--data moved "${small[@]:2}" "${run[@]}")
train --out moving
rm -rf moving/checkpoint-3
ok train_zoom_nearest "${elsewhere[@]}" --out moving --resume
same whole/checkpoint-3/state.safetensors moving/checkpoint-3/state.safetensors
rm -rf moving/checkpoint-3
for file in images-idx3 labels-idx1; do cp "$data/t10k-$file-ubyte.gz" "moved/train-$file-ubyte.gz"; done
expect "made with data_fingerprint = " train_zoom_nearest "${elsewhere[@]}" --out moving --resume
grep -qE "fingerprint = [0-9a-f]{16}, this run has [0-9a-f]{16}$" err.txt || fail "not both fingerprints: $(cat err.txt)"

echo "-- train: the long name of every training program"
ok train --method zoom_nearest "${small[@]}" "${run[@]}" --out long
same whole/model.safetensors long/model.safetensors
"$bin/train" --list >list.txt
for name in zoom_nearest zoom_bilinear zoom_frontier flow ddpm_linear ddpm_cosine ddpm_velocity ddpm_self edm \
  reconstructor unet attention_unet; do
  grep -qE "^  $name +[A-Za-z]" list.txt || fail "train --list has no line for $name"
done
expect "found kind 'zoom_sideways', wanted one of zoom_nearest, zoom_bilinear" train --method zoom_sideways --out bad
expect "--method" train --out bad
expect "--network" train --method zoom_nearest --network transformer --out bad
expect "a zoom_nearest model has none" train --method zoom_nearest --beta-max 0.5 --out bad
expect "must be odd" train "${small[@]}" --method zoom_nearest --epochs 1 --out bad --kernel 4
ok train --method ddpm_linear "${small[@]}" --epochs 1 --steps 10 --kernel 3 --out kernel
ok sample --model kernel/model.safetensors --count 2 --out kernel.npy

echo "-- samples: any thread count and batch"
draw() { ok sample --model whole/model.safetensors --data "$data" "$@"; }
draw --count 300 --seed 7 --out many.npy --threads 2 --png grid.png --steps-png steps.png
draw --count 5 --seed 7 --out few.npy --threads 1
if [ ! -s grid.png ] || [ ! -s steps.png ]; then fail "sample wrote no pictures"; fi
python3 - <<'PY' || fail "samples are not as documented"
def load(path):
    raw = open(path, "rb").read()
    end = raw.index(b"\n") + 1
    return eval(raw[10:end].decode()), raw[end:]
many, few = load("many.npy"), load("few.npy")
assert many[0]["shape"] == (300, 28, 28) and many[0]["descr"] == "<f4", many[0]
assert many[1][: len(few[1])] == few[1], "sample i depends on the batch"
import array
values = array.array("f", many[1])
assert min(values) >= 0 and max(values) <= 1 and max(values) > min(values)
PY
for options in "--latent patches" "--sampler tacos" "--sampling-steps 6" "--kind zoom_nearest"; do
  # shellcheck disable=SC2086
  draw --count 3 --out other.npy $options
done

echo "-- summary"
"$bin/summarize_run" --run whole --png loss.png --json metrics.json >>log.txt 2>&1 || fail "summarize_run"
python3 -c 'import json; m = json.load(open("metrics.json")); assert m["epochs"] == 3 and m["test_loss"] > 0'
[ -s loss.png ] || fail "no loss.png"

echo "-- bad input"
# with_defaults OPTIONS -- OPTIONS...: the second list after those options of the first that it does not give itself.
with_defaults() {
  local -a defaults=()
  while [ "$1" != -- ]; do defaults+=("$1" "$2"); shift 2; done
  shift
  arguments=("$@")
  for ((i = 0; i < ${#defaults[@]}; i += 2)); do
    [[ " $* " == *" ${defaults[i]} "* ]] || arguments+=("${defaults[i]}" "${defaults[i + 1]}")
  done
}
bad_train() {
  local words=$1
  shift
  with_defaults "${small[@]}" "${run[@]}" --out bad -- "$@"
  expect "$words" train_zoom_nearest "${arguments[@]}"
}
bad_sample() {
  local words=$1
  shift
  with_defaults --model whole/model.safetensors --data "$data" -- "$@"
  expect "$words" sample "${arguments[@]}"
}

bad_train "--epochs" --epochs 0
bad_train "--epochs" --epochs many
bad_train "--batch-size" --batch-size 0
bad_train "--batch-size" --batch-size 321
bad_train "--learning-rate" --learning-rate 0
bad_train "--learning-rate" --learning-rate nan
bad_train "--learning-rate" --learning-rate inf
bad_train "--seed" --seed -1
bad_train "--threads" --threads -1
bad_train "--threads" --threads 5000
bad_train "--limit" --limit -5
bad_train "--ema" --ema 1
bad_train "--ema" --ema nan
bad_train "--widths" --widths 4,0
bad_train "two" --widths 4
bad_train "--steps" --steps 28
bad_train "--decay" --decay linear
bad_train "--samples" --samples -1
bad_train "--warmup" --warmup -1
bad_train "--unknown" --unknown 3
bad_train "not finite" --learning-rate 1e30
bad_train "absent" --data "$work/absent"
bad_train "nothing to resume" --out empty --resume
bad_train "holds a run already" --out whole
bad_train "this run has 32" --out whole --resume --batch-size 32
touch a_file
bad_train "a_file" --out a_file/run
bad_sample "--count" --count 0
bad_sample "--latent" --latent noise
bad_sample "--sampler" --sampler euler
bad_sample "sampling steps" --sampling-steps 25
bad_sample "--threads" --threads -2
bad_sample "--kind" --kind zoom_sideways
bad_sample "zoom_bilinear" --kind zoom_bilinear
bad_sample "nowhere" --out nowhere/samples.npy
expect "required" sample --count 1
expect "absent.safetensors" sample --model absent.safetensors
expect "absent" summarize_run --run absent

echo "-- damaged files"
break_data() { # NAME FILE: a copy of the data in folder NAME, to be spoilt by the caller
  cp -r "$data" "$1"
}
images=train-images-idx3-ubyte.gz labels=train-labels-idx1-ubyte.gz
break_data truncated && head -c 100000 "$data/$images" >truncated/$images
bad_train "truncated/$images" --data truncated
break_data corrupt && printf '\xff\xff\xff' | dd of=corrupt/$images bs=1 seek=200000 conv=notrunc status=none
bad_train "corrupt/$images" --data corrupt
break_data mislabelled && cp "$data/$labels" mislabelled/$images
bad_train "mislabelled/$images" --data mislabelled
break_data missing && rm missing/$labels
bad_train "train-labels" --data missing
break_data other && cp "$data/t10k-labels-idx1-ubyte.gz" other/$labels
bad_train "other/$labels" --data other
break_data none && printf '\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c' | gzip >none/$images
bad_train "none/$images" --data none
break_data nonsense && echo "no IDX file" >nonsense/$images
bad_train "nonsense/$images" --data nonsense
break_data shape && printf '\0\0\x08\x03\0\0\0\1\0\0\0\2\0\0\0\2\1\2\3\4' | gzip >shape/$images &&
  printf '\0\0\x08\1\0\0\0\1\5' | gzip >shape/$labels
bad_train "28 x 28" --data shape
model=whole/model.safetensors
head -c 1000 $model >short.safetensors
expect "short.safetensors" sample --model short.safetensors
head -c -4 $model >cut.safetensors
expect "cut.safetensors" sample --model cut.safetensors
: >empty.safetensors
expect "empty.safetensors" sample --model empty.safetensors
sed 's/gt.blocks.1.net.0.weight/gt.blocks.1.net.9.weight/' $model >renamed.safetensors
expect "renamed.safetensors" sample --model renamed.safetensors
sed 's/zoom_nearest/zoom_closest/' $model >unknown.safetensors
expect "zoom_closest" sample --model unknown.safetensors
cp -r whole spoilt
rm spoilt/checkpoint-2/state.safetensors # the run would go on from it
head -c 3000 whole/checkpoint-3/state.safetensors >spoilt/checkpoint-3/state.safetensors
bad_train "spoilt/checkpoint-3/state.safetensors" --out spoilt --resume
same whole/model.safetensors spoilt/model.safetensors
[ ! -e bad/model.safetensors ] || fail "a failed run left a model"

helps train_zoom_nearest sample summarize_run
echo "all as it should be"
