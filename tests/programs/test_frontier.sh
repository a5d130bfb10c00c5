#!/usr/bin/env bash
# Soft frontiers and labels in the programs: recipes, classes, guidance, spacing, pictures beside each other.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

small=(--data "$data" --limit 256 --widths "16,16" --bottom-blocks 1 --kernels 3 --embedding 16 --samples 4 --warmup 2)
recipe() { ok train_zoom_nearest --recipe small "${small[@]}" "$@"; }
recipe --epochs 2 --out run
recipe --epochs 2 --no-labels --frontier-rings 3 --out plain
ok train --method flow --network reconstructor --data "$data" --limit 256 --widths "4,3" --epochs 1 --out flow

echo "-- metadata"
python3 - <<'PY' || fail "the metadata are not as documented"
import json, struct
def header(path):
    raw = open(path, "rb").read()
    return json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])
wanted = dict(kind="zoom_frontier", network="unet", steps="320", target="flow", widths="16,16", classes="10")
found = header("run/model.safetensors")
for key, value in wanted.items():
    assert found["__metadata__"][key] == value, (key, found["__metadata__"][key])
assert float(found["__metadata__"]["frontier_rings"]) == 16
assert found["embedding.label.weight"]["shape"] == [11, 16]
plain = header("plain/model.safetensors")
assert float(plain["__metadata__"]["frontier_rings"]) == 3 and plain["__metadata__"]["classes"] == "0"
assert "embedding.label.weight" not in plain
latents = header("run/latents.safetensors")
assert latents["labels"]["shape"] == [256] and latents["images"]["shape"] == [256, 1, 28, 28]
PY

echo "-- the same bits on one thread, and after --resume"
recipe --epochs 2 --threads 1 --out again
same run/model.safetensors again/model.safetensors
rm -rf again/checkpoint-2
recipe --epochs 2 --out again --resume
same run/checkpoint-2/state.safetensors again/checkpoint-2/state.safetensors
same run/samples-2.png again/samples-2.png
resume() { expect "$1" train_zoom_nearest --recipe small "${small[@]}" --epochs 2 --out run --resume "${@:2}"; }
resume "frontier_rings" --frontier-rings 4
resume "label_dropout" --no-labels
resume "network" --blocks 2
resume "label_dropout" --label-dropout 0.5

echo "-- samples of classes"
# draw MODEL OUT OPTIONS...
draw() { ok sample --model "$1/model.safetensors" --data "$data" --count 12 --out "$2" "${@:3}"; }
differ() { if cmp -s "$1" "$2"; then fail "$3 does nothing"; fi; }
draw run drawn.npy
draw run one.npy --threads 1 --sampling-steps 12 --spacing 1.3 --sampler adams_bashforth
same drawn.npy one.npy
draw run sevens.npy --class 7
differ drawn.npy sevens.npy --class
draw run guided.npy --class 7 --guidance 2
differ sevens.npy guided.npy --guidance
draw run warm.npy --temperature 1.05
differ drawn.npy warm.npy --temperature
draw run even.npy --spacing 1
differ drawn.npy even.npy --spacing
draw run euler.npy --sampler ddim
differ drawn.npy euler.npy --sampler
# Sample i is of class classes[i mod size], whatever else is drawn.
draw run turns.npy --class 7,7,1
draw plain unlabelled.npy
ok sample --model run/model.safetensors --latent-file run/latents.safetensors --count 3 --class 2 --out file.npy
ok sample --model flow/model.safetensors --data "$data" --count 3 --out flow.npy
python3 - <<'PY' || fail "samples of classes"
def rows(path):
    raw = open(path, "rb").read()
    begin = 10 + int.from_bytes(raw[8:10], "little")
    return [raw[begin + i * 3136 : begin + (i + 1) * 3136] for i in range((len(raw) - begin) // 3136)]
sevens, turns = rows("sevens.npy"), rows("turns.npy")
for i in range(12):
    assert (turns[i] == sevens[i]) == (i % 3 != 2), i
PY
expect "--class: found 11, wanted 0 to 9" sample --model run/model.safetensors --data "$data" --class 11 --out bad.npy
expect "this model reads no labels" sample --model plain/model.safetensors --data "$data" --class 1 --out bad.npy
expect "this model reads no labels" sample --model flow/model.safetensors --data "$data" --guidance 2 --out bad.npy
expect "only the adams_bashforth sampler has one" \
  sample --model run/model.safetensors --data "$data" --sampler ddim --spacing 2 --out bad.npy
expect "--spacing: found 9, wanted 1 to 4" sample --model run/model.safetensors --data "$data" --spacing 9 --out bad.npy
expect "reads no labels; take --network unet" train --method flow --network reconstructor --data "$data" --labels --out bad
expect "--frontier-rings: found 1e+07" \
  train --method zoom_frontier --network unet --data "$data" --frontier-rings 1e7 --out bad
expect "must divide by 8" train --method flow --network unet --data "$data" --widths 4,4,4,4 --epochs 1 --out bad

train() { expect "$1" train --data "$data" --limit 256 --epochs 1 --out bad "${@:2}"; }
train "--kernel: the network unet has none" --method flow --network unet --kernel 3
train "--blocks: found 1,2, wanted one number" --method flow --network unet --blocks 1,2
train "--classes: found 10 without --labels" --method flow --network unet --classes 10
train "--label-dropout: found 0.5 without --labels" --method flow --network unet --label-dropout 0.5
expect "--guidance" sample --model run/model.safetensors --data "$data" --guidance nan --out bad.npy
expect "--guidance" sample --model run/model.safetensors --data "$data" --guidance 0.5 --out bad.npy
# A model of another initial state draws its labels by itself, and checks them too.
ok train --method ddpm_linear --network unet --labels "${small[@]}" --steps 8 --epochs 1 --out noise
ok sample --model noise/model.safetensors --count 4 --class 3,4 --out noise.npy
expect "--class: found 10, wanted 0 to 9" sample --model noise/model.safetensors --class 10 --out bad.npy

# Attention, labels, and the same bits on one thread.
attention=(--method ddpm_linear --network attention_unet --labels --data "$data" --limit 64 --epochs 1 --batch-size 32
  --widths "8,16" --blocks 1 --attention 2 --steps 8 --samples 4)
ok train "${attention[@]}" --out attention
ok train "${attention[@]}" --threads 1 --out attention1
same attention/model.safetensors attention1/model.safetensors
ok sample --model attention/model.safetensors --count 4 --out attention.npy
# Factors in bf16: the same bits on one thread, near the other loss; refused without a matrix unit.
if "$bin/train" "${attention[@]}" --precision bf16 --out rounded >>log.txt 2>err.txt; then
  ok train "${attention[@]}" --precision bf16 --threads 1 --out rounded1
  same rounded/model.safetensors rounded1/model.safetensors
  ! cmp -s attention/model.safetensors rounded/model.safetensors || fail "--precision bf16 changes nothing"
else
  expect "--precision: found bf16, wanted float32: this CPU" train "${attention[@]}" --precision bf16 --out bad
fi
expect "--precision" train "${attention[@]}" --precision half --out bad
expect "wanted a multiple of groups = 8" train "${attention[@]}" --widths 8,12 --out bad
expect "wanted 0 to 1" train "${attention[@]}" --attention 3 --out bad

expect "--temperature: only degraded and fitted initial states have one" sample --model noise/model.safetensors --temperature 2

echo "-- fitted initial states"
ok pixel_distribution --data "$data" --kind zoom_frontier --latent fitted --latent-file states.safetensors
grep -q "two-sample test, fitted initial states" log.txt || fail "pixel_distribution prints no two-sample test"
python3 - <<'PY' || fail "fitted states differ from the windows of the images"
import re
text = open("log.txt").read()
found = dict(re.findall(r"two-sample test, (.*) against test images: energy distance ([\d.]+)", text))
assert float(found["fitted initial states"]) < 2 * float(found["training images"]), found
PY
draw run fitted.npy --latent-file states.safetensors
draw run fitted1.npy --latent-file states.safetensors --threads 1
same fitted.npy fitted1.npy
differ drawn.npy fitted.npy --latent-file
draw run fitted7.npy --latent-file states.safetensors --class 7
differ fitted.npy fitted7.npy --class
draw plain fitted.npy --latent-file states.safetensors
expect "noise leaves nothing of an image" sample --model noise/model.safetensors --latent fitted --out bad.npy
expect "holds fitted initial states" \
  sample --model run/model.safetensors --latent degraded --latent-file states.safetensors --out bad.npy

echo "-- restoration"
ok train --method inpaint_frontier --network unet --labels "${small[@]}" --steps 32 --epochs 1 --out hole
ok train --method zoom_energy --network unet "${small[@]}" --epochs 1 --out energy
restore() { ok test_restoration --data "$data" --limit 40 --draws 3 --sampling-steps 4 "$@"; }
restore --model hole/model.safetensors --step 16 --json hole.json --png hole.png
restore --model hole/model.safetensors --step 16 --json one.json --threads 1
same hole.json one.json
restore --model energy/model.safetensors --step 12 --json energy.json
restore --model run/model.safetensors --json run.json
[ -s hole.png ] || fail "test_restoration wrote no picture"
python3 - <<'PY' || fail "scores of restoration"
import json
for name in "hole", "energy", "run":
    found = json.load(open(name + ".json"))
    assert found["n"] == 40 and found["draws"] == 3 and found["calls"] == 4, found
    assert found["best of draws"]["rmse"] < found["drawn"]["rmse"], (name, found)
    assert found["mean of draws"]["rmse"] < found["drawn"]["rmse"], (name, found)
PY
expect "--step: found 33, wanted 1 to T = 32" test_restoration --model hole/model.safetensors --data "$data" --step 33

echo "-- other programs"
ok test_loss --model run/model.safetensors --data "$data" --limit 64 --json loss.json
ok plot_reconstruction --model run/model.safetensors --data "$data" --images 3 --out plots
score() { "$@" --data "$data" --count 828 --sampling-steps 2; }
score ok evaluate_run --run run --guidance 1.5
score expect "was scored with guidance 1.5, now it is 1" evaluate_run --run run
# A line of a version that knew no guidance.
ok evaluate_run --run plain --data "$data" --count 828 --sampling-steps 2 --spacing 1
sed -i 's/"spacing":1.0,"guidance":1.0,"classes":\[\],//' plain/metrics.jsonl
if grep -q guidance plain/metrics.jsonl; then fail "the test has not taken the new keys away"; fi
ok evaluate_run --run plain --data "$data" --count 828 --sampling-steps 2 --spacing 1
[ -s plots/sampling.png ] || fail "plot_reconstruction wrote no picture"

echo "-- show_samples"
grid=(--rows 2 --columns 3)
ok show_samples --samples drawn.npy sevens.npy --names "any class" sevens --real "$data" "${grid[@]}" --out shown.png
[ -s shown.png ] || fail "show_samples wrote no picture"
expect "found 1 names for 2 files" show_samples --samples drawn.npy sevens.npy --names one "${grid[@]}" --out bad.png
expect "drawn.npy: found 12 images, wanted at least 100" show_samples --samples drawn.npy --out bad.png
expect "nothing to show" show_samples --out bad.png
expect "missing.npy" show_samples --samples missing.npy "${grid[@]}" --out bad.png
[ ! -e bad.png ] || fail "show_samples left a picture of nothing"
echo "all good"
