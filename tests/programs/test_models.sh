#!/usr/bin/env bash
# Models of every kind: what training leaves, that each sampler fits and repeats, initial states as files, bad input.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

small=(--data "$data" --limit 256 --batch-size 64 --widths "4,3" --samples 4 --learning-rate 3e-3)
ddpm=(--steps 40)
cosine=(--schedule cosine --beta-max 0.02 --last-step 39)
ok train_zoom_nearest "${small[@]}" --epochs 1 --out zoom_nearest
ok train_zoom_bilinear "${small[@]}" --epochs 1 --out zoom_bilinear
ok train_ddpm "${small[@]}" "${ddpm[@]}" --epochs 2 --out ddpm_linear
ok train_ddpm "${small[@]}" "${ddpm[@]}" "${cosine[@]}" --epochs 2 --threads 2 --out ddpm_cosine

echo "-- metadata"
python3 - <<'PY' || fail "the metadata are not as documented"
import json, struct
def metadata(path):
    raw = open(path, "rb").read()
    return json.loads(raw[8 : 8 + struct.unpack("<Q", raw[:8])[0]])["__metadata__"]
wanted = {
    "zoom_nearest": dict(steps="24", last_step="24", target="x0"),
    "zoom_bilinear": dict(steps="23", last_step="23", target="x0"),
    "ddpm_linear": dict(steps="40", last_step="40", target="noise"),
    "ddpm_cosine": dict(steps="40", last_step="39", target="noise"),
}
for kind, entries in wanted.items():
    found = metadata(kind + "/model.safetensors")
    for key, value in dict(entries, kind=kind, value_range="centred", format_version="1").items():
        assert found[key] == value, (kind, key, found[key], value)
    assert ("beta_max" in found) == kind.startswith("ddpm")
    assert ("latent.histogram" in found) == (kind == "zoom_nearest")
assert float(metadata("ddpm_linear/model.safetensors")["beta_max"]) == 0.02
for kind, latent in ("zoom_nearest", "histogram"), ("zoom_bilinear", "patches"), ("ddpm_cosine", "gaussian"):
    assert metadata(kind + "/latents.safetensors")["latent"] == latent
PY

echo "-- the same bits on one thread, and after --resume"
ok train_ddpm "${small[@]}" "${ddpm[@]}" "${cosine[@]}" --epochs 1 --threads 1 --out again
ok train_ddpm "${small[@]}" "${ddpm[@]}" "${cosine[@]}" --epochs 2 --threads 1 --out again --resume
same ddpm_cosine/model.safetensors again/model.safetensors
same ddpm_cosine/samples-2.png again/samples-2.png

echo "-- dropout: the same bits on one thread, and after --resume; a network of diffusers there and back"
attention=(--network attention_unet "${small[@]/4,3/8,8}" --blocks 1 --attention 2 --groups 4 --film 1 --dropout 20)
ok train --method ddpm_linear "${attention[@]}" --epochs 2 --threads 2 --out attention
ok train --method ddpm_linear "${attention[@]}" --epochs 1 --threads 1 --out attention_again
ok train --method ddpm_linear "${attention[@]}" --epochs 2 --threads 1 --out attention_again --resume
same attention/model.safetensors attention_again/model.safetensors
ok convert_diffusers --from attention/model.safetensors --to unet
ok convert_diffusers --from unet --to unet.safetensors
few=(--count 4 --sampler ddim --sampling-steps 3)
ok sample --model attention/model.safetensors "${few[@]}" --out attention.npy
ok sample --model unet.safetensors "${few[@]}" --out unet.npy
same attention.npy unet.npy
expect "found the network reconstructor, wanted attention_unet" convert_diffusers --from ddpm_linear/model.safetensors --to bad
expect "absent/config.json" convert_diffusers --from absent --to bad
sed -i 's/"silu"/"gelu"/' unet/config.json
expect "unet/config.json: found act_fn \"gelu\", wanted \"silu\"" convert_diffusers --from unet --to bad

echo "-- loss, weighting, optimiser, clipping and accumulation"
# policy OUT OPTIONS...: one epoch of another model than ddpm_linear of the same epoch.
policy() {
  ok train --method ddpm_linear "${small[@]}" "${ddpm[@]}" --epochs 1 --out "$1" "${@:2}"
  if cmp -s ddpm_linear/checkpoint-1/model.safetensors "$1/model.safetensors"; then fail "${*:2} does nothing"; fi
}
policy l1 --loss l1
policy huber --loss huber
policy min_snr --weighting min-snr
policy adamw --optimizer adamw --weight-decay 0.1
policy sgd --optimizer sgd --momentum 0.5
policy clipped --clip-norm 0.01
# 64 images an update, in one part or two.
ok train --method ddpm_linear "${small[@]/64/32}" --accumulate 2 "${ddpm[@]}" --epochs 1 --out parts
same ddpm_linear/checkpoint-1/model.safetensors parts/model.safetensors
policies() { expect "$1" train --method "$2" "${small[@]}" --epochs 2 "${@:3}"; }
policies "an image has none of its own" zoom_nearest --weighting min-snr --out bad
policies "adam has none" ddpm_linear --weight-decay 0.1 --out bad
policies "another loss" ddpm_linear "${ddpm[@]}" --out l1 --resume
policies "optimizer_kind = adamw, this run has adam" ddpm_linear "${ddpm[@]}" --out adamw --resume
policies "optimizer.momentum" ddpm_linear "${ddpm[@]}" --optimizer sgd --momentum 0.4 --out sgd --resume

echo "-- test_loss: of one draw the loss of training, of more another number"
for kind in zoom_nearest ddpm_cosine; do
  ok test_loss --model $kind/model.safetensors --data "$data" --limit 256 --draws 1 --json one.json
  ok test_loss --model $kind/model.safetensors --data "$data" --limit 256 --draws 3 --threads 1 --json three.json
  python3 - $kind/log.jsonl <<'PY' || fail "test_loss of $kind"
import json, sys
logged = [json.loads(line) for line in open(sys.argv[1])][-1]["test_loss"]
one, three = json.load(open("one.json")), json.load(open("three.json"))
assert (one["draws"], three["draws"], one["n"], three["n"]) == (1, 3, 256, 256), (one, three)
assert abs(one["test_loss"] / logged - 1) < 1e-12, (one, logged)
assert 0 < abs(three["test_loss"] / one["test_loss"] - 1) < 0.1, (one, three)
PY
done
expect "--draws" test_loss --model zoom_nearest/model.safetensors --draws 0
expect "missing.safetensors" test_loss --model missing.safetensors

echo "-- samplers"
# draw KIND OUT OPTIONS...
draw() { ok sample --model "$1/model.safetensors" --data "$data" --count 5 --out "$2" "${@:3}"; }
for kind in zoom_nearest zoom_bilinear ddpm_linear ddpm_cosine; do
  samplers=(naive tacos)
  case $kind in ddpm*) samplers=(ddpm ddim dpm_solver) ;; esac
  draw $kind default.npy
  for sampler in "${samplers[@]}"; do
    draw $kind "$sampler.npy" --sampler "$sampler"
    draw $kind one.npy --sampler "$sampler" --threads 1
    same "$sampler.npy" one.npy
    draw $kind few.npy --sampler "$sampler" --sampling-steps 7
    if cmp -s "$sampler.npy" few.npy; then fail "--sampling-steps does nothing to $sampler"; fi
  done
  same default.npy "${samplers[0]}.npy"
  if cmp -s "${samplers[0]}.npy" "${samplers[1]}.npy"; then fail "both samplers of $kind give the same"; fi
done
draw ddpm_linear clipped.npy --sampler ddim
draw ddpm_linear free.npy --sampler ddim --no-clip
if cmp -s clipped.npy free.npy; then fail "--no-clip does nothing"; fi
draw ddpm_linear noisy.npy --sampler ddim --eta 1
if cmp -s clipped.npy noisy.npy; then fail "--eta does nothing"; fi

echo "-- initial states as files"
# Those of a training run are of its --limit images, as the counts in the model are; the bank of --data is larger.
for kind in zoom_nearest ddpm_linear; do
  ok sample --model $kind/model.safetensors --count 5 --out model.npy
  ok sample --model $kind/model.safetensors --latent-file $kind/latents.safetensors --count 5 --out file.npy
  same model.npy file.npy
done
ok sample --model zoom_bilinear/model.safetensors --latent-file zoom_bilinear/latents.safetensors --count 5 --out file.npy

# Degraded training images fit every method. Of a zoom they are what its patches are, by another way.
ok sample --model zoom_bilinear/model.safetensors --data "$data" --latent degraded --count 5 --out degraded.npy
draw zoom_bilinear patches.npy
same degraded.npy patches.npy
ok sample --model ddpm_linear/model.safetensors --data "$data" --latent degraded --count 5 --out degraded.npy
draw ddpm_linear usual.npy
if cmp -s degraded.npy usual.npy; then fail "--latent degraded does nothing to ddpm_linear"; fi
ok pixel_distribution --data "$data" --limit 200 --kind zoom_bilinear --step 23 --latent degraded --latent-file images.safetensors
ok sample --model zoom_bilinear/model.safetensors --latent-file images.safetensors --count 5 --out file.npy
sed 's/"step":"23"/"step":"22"/' images.safetensors >spoilt_latents.safetensors
expect "at step 22, the model starts from" sample --model zoom_bilinear/model.safetensors --latent-file spoilt_latents.safetensors

echo "-- weights without metadata are the original project's"
strip() { # IN OUT: drops the metadata
  python3 - "$1" "$2" <<'PY'
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8 : 8 + size])
del header["__metadata__"]
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + raw[8 + size :])
PY
}
strip zoom_bilinear/model.safetensors bare.safetensors
ok sample --model bare.safetensors --kind zoom_bilinear --data "$data" --count 5 --out bare.npy
draw zoom_bilinear known.npy
same bare.npy known.npy
strip ddpm_cosine/model.safetensors bare.safetensors
ok sample --model bare.safetensors --kind ddpm_cosine --sampler ddim --sampling-steps 3 --count 2 --out bare.npy

echo "-- bad input"
bad() { expect "$1" sample --model "$2/model.safetensors" --data "$data" --count 1 "${@:3}"; }
bad "wanted naive or tacos: a zoom_nearest model predicts x0" zoom_nearest --sampler ddim
bad "wanted ddpm or ddim or dpm_solver: a ddpm_linear model predicts the noise" ddpm_linear --sampler tacos
bad "wanted gaussian for ddpm_linear" ddpm_linear --latent patches
bad "wanted histogram or patches for zoom_nearest" zoom_nearest --latent gaussian
bad "sampling steps is 41" ddpm_linear --sampling-steps 41
bad "only the ddim sampler" ddpm_linear --eta 0.5
bad "--eta" ddpm_linear --sampler ddim --eta 2
bad "wanted gaussian for ddpm_linear" ddpm_linear --latent-file zoom_nearest/latents.safetensors
bad "holds histogram initial states" zoom_nearest --latent patches --latent-file zoom_nearest/latents.safetensors
bad "is this a file of initial states" zoom_nearest --latent-file zoom_nearest/model.safetensors
bad "absent.safetensors" zoom_nearest --latent-file absent.safetensors
expect "give --kind" sample --model bare.safetensors
expect "found kind 'ddpm_sigmoid'" sample --model bare.safetensors --kind ddpm_sigmoid
bad_ddpm() { expect "$1" train_ddpm "${small[@]}" --epochs 1 --out bad "${@:2}"; }
bad_ddpm "--schedule" --schedule sigmoid
bad_ddpm "--beta-max" --beta-max 1
bad_ddpm "--beta-max" --beta-max nan
bad_ddpm "--last-step: found 41, wanted at most the 40 steps" --steps 40 --last-step 41
bad_ddpm "--steps: found 100001" --steps 100001
expect "this run has 0.5" train_ddpm "${small[@]}" "${ddpm[@]}" --beta-max 0.5 --epochs 3 --out ddpm_linear --resume
expect "kind = ddpm_linear" train_ddpm "${small[@]}" "${ddpm[@]}" --schedule cosine --beta-max 0.02 --epochs 3 --out ddpm_linear --resume
expect "--steps" train_zoom_bilinear "${small[@]}" --steps 28 --epochs 1 --out bad
sed 's/"beta_max":"0.0/"beta_max":"7.0/' ddpm_linear/model.safetensors >spoilt.safetensors
expect "spoilt.safetensors: found beta_max '7.0" sample --model spoilt.safetensors
sed 's/"last_step":"40"/"last_step":"50"/' ddpm_linear/model.safetensors >spoilt.safetensors
expect "found last_step '50', wanted 1 to 40" sample --model spoilt.safetensors
sed 's/"target":"noise"/"target":"x0___"/' ddpm_linear/model.safetensors >spoilt.safetensors
expect "wanted 'noise'" sample --model spoilt.safetensors

helps train_zoom_bilinear train_ddpm convert_diffusers
echo "all as it should be"
