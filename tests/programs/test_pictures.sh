#!/usr/bin/env bash
# Programs that measure and draw: what their tables and pictures hold, initial states that go on to sample, bad input.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

# png FILE...: pictures with something on them.
png() {
  for file in "$@"; do
    [ "$(head -c 8 "$file" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ] || fail "$file is no PNG"
    [ "$(stat -c %s "$file")" -gt 5000 ] || fail "$file is empty"
  done
}

echo "-- pixel_distribution"
ok pixel_distribution --data "$data" --limit 300 --kind zoom_nearest --csv nearest.csv --png nearest.png --latent-file nearest.safetensors
ok pixel_distribution --data "$data" --limit 300 --kind zoom_nearest --csv again.csv --threads 1
same nearest.csv again.csv
ok pixel_distribution --data "$data" --smoke --kind zoom_bilinear --step 14 --latent histogram --csv bilinear.csv --png bilinear.svg
ok pixel_distribution --data "$data" --smoke --kind ddpm_cosine --csv noise.csv --png noise.png
png nearest.png noise.png
python3 - "$data" <<'PY' || fail "the histograms are wrong"
import csv, gzip, sys, xml.dom.minidom
raw = gzip.open(sys.argv[1] + "/train-images-idx3-ubyte.gz").read()[16 : 16 + 300 * 784]
counts, step = [0] * 256, 24
for n in range(300):
    for y in range(28):
        for x in range(28):
            at = lambda i: (step + 1) // 2 + i * (28 - step) // 28
            counts[min(255, raw[n * 784 + at(y) * 28 + at(x)] * 256 // 255)] += 1
rows = list(csv.DictReader(open("nearest.csv")))
assert [int(r["data_count"]) for r in rows] == counts
assert [float(r["low_edge"]) for r in rows[:3]] == [-0.5, -0.496094, -0.492188]
for name in "nearest.csv", "bilinear.csv", "noise.csv":
    rows = list(csv.DictReader(open(name)))
    for what in "data", "latent":
        shares = [float(r[what + "_share"]) for r in rows]
        assert len(rows) == 256 and abs(sum(shares) - 1) < 1e-6 and min(shares) >= 0
    # Initial states that stand for the data: 500 and more images leave the shares of 16 bins that alike.
    for k in range(0, 256, 16):
        data, latent = (sum(float(r[w + "_share"]) for r in rows[k : k + 16]) for w in ("data", "latent"))
        assert abs(data - latent) < 0.05, (name, k, data, latent)
xml.dom.minidom.parse("bilinear.svg")
PY
ok train_zoom_nearest --data "$data" --smoke --epochs 1 --widths "4,3" --samples 0 --out run
ok sample --model run/model.safetensors --latent-file nearest.safetensors --count 3 --out samples.npy
bad_pixels() { expect "$1" pixel_distribution --data "$data" --smoke "${@:2}"; }
bad_pixels "found kind 'zoom_quartic'" --kind zoom_quartic
bad_pixels "--step: found 28, wanted 1 to 27" --step 28
bad_pixels "wanted histogram or patches" --latent gaussian
bad_pixels "wanted gaussian" --kind ddpm_linear --latent patches
bad_pixels "found 'picture.gif', wanted a name that ends in .png or .svg" --png picture.gif
bad_pixels "nowhere" --csv nowhere/table.csv
ok pixel_distribution --data "$data" --smoke --step 14 --latent-file other.safetensors
expect "initial states of zoom_nearest at step 14" sample --model run/model.safetensors --latent-file other.safetensors

echo "-- check_degradation"
ok check_degradation --data "$data" --method salt_pepper --limit 90 --threads 1 --json report.json
grep -q "tacos_sampler" log.txt || fail "check_degradation names no sampler"
python3 - <<'PY' || fail "the report is wrong"
import json
r = json.load(open("report.json"))
assert r["method"] == "salt_pepper" and r["T"] == 10 and r["images"] == 90
assert r["finite"] and r["repeatable"] and r["independent"] and r["random"] and r["farthest_at_0"] == 0
assert [s["t"] for s in r["steps"]][-1] == 10 and r["steps"][0]["recovered"] > r["steps"][-1]["recovered"]
assert sorted(r["sampled"]) == ["direct", "naive", "tacos"] and min(r["sampled"].values()) > 0
assert any("random" in f for f in r["findings"])
PY
ok check_degradation --data "$data" --method zoom_nearest --steps 6 --limit 60
expect "desaturate does not take images of 1 channels" check_degradation --data "$data" --method desaturate
expect "--limit" check_degradation --data "$data" --method blur --limit 3
expect "a heat model has none" check_degradation --data "$data" --method heat --blur-sigma 3

echo "-- plot_schedules"
ok plot_schedules --data "$data" --out schedules --steps 100
ok plot_schedules --data "$data" --out schedules --steps 100 --format svg --images 1 --columns 4
png schedules/schedules.png schedules/progressions.png
mkdir home
echo "set label 'settings of the user' at screen 0.5, 0.5 front" >home/.gnuplot
HOME=$work/home ok plot_schedules --data "$data" --out settings --steps 100
same schedules/progressions.png settings/progressions.png
python3 - <<'PY' || fail "the schedules are wrong"
import csv, math, xml.dom.minidom
T = 100
f = lambda t: math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2
betas = {
    ("ddpm_linear", "0.02"): [1e-4 + (0.02 - 1e-4) * t / T for t in range(T + 1)],
    ("ddpm_cosine", "0.999"): [min(0.999, 1 - f(t) / f(t - 1)) for t in range(T + 1)],
    ("ddpm_cosine", "0.02"): [min(0.02, 1 - f(t) / f(t - 1)) for t in range(T + 1)],
}
betas[("ddpm_self", "0")] = betas[("ddpm_cosine", "0.999")]
# Lin et al. 2023, algorithm 1.
signals = [math.sqrt(math.prod(1 - b for b in betas[("ddpm_linear", "0.02")][: t + 1])) for t in range(T + 1)]
signals = [(s - signals[T]) * signals[0] / (signals[0] - signals[T]) for s in signals]
betas[("ddpm_velocity", "0")] = [1 - (s / before) ** 2 for before, s in zip([1] + signals, signals)]
rows = list(csv.DictReader(open("schedules/schedules.csv")))
assert len(rows) == 5 * T
for row in rows:
    beta, t = betas[row["kind"], row["beta_max"]], int(row["t"])
    squared = math.prod(1 - b for b in beta[: t + 1])
    for name, wanted in ("beta", beta[t]), ("signal", squared**0.5), ("noise", (1 - squared) ** 0.5):
        assert abs(float(row[name]) - wanted) <= 1e-7 * wanted, (row, name, wanted)
for name in "schedules", "progressions":
    xml.dom.minidom.parse("schedules/" + name + ".svg")
PY
expect "--steps" plot_schedules --data "$data" --steps 0
expect "--first: found 5000" plot_schedules --data "$data" --out schedules --first 5000
expect "a_file" plot_schedules --data "$data" --out "$(touch a_file && echo a_file)"

echo "-- plot_reconstruction"
ok train_ddpm --data "$data" --smoke --epochs 1 --steps 30 --widths "4,3" --samples 0 --out noise
for run in run noise; do
  ok plot_reconstruction --model $run/model.safetensors --data "$data" --images 3 --out pictures
  png pictures/reconstruction.png pictures/sampling.png
done
ok plot_reconstruction --model run/model.safetensors --data "$data" --images 2 --at 1,24 --every 6 --sampler tacos \
  --latent-file nearest.safetensors --format svg --out pictures
[ -s pictures/sampling.svg ] || fail "no pictures/sampling.svg"
bad_plot() { expect "$1" plot_reconstruction --model run/model.safetensors --data "$data" --out pictures "${@:2}"; }
bad_plot "--at: found 25, wanted 1 to 24" --at 1,25
bad_plot "wanted naive or tacos" --sampler ddpm
bad_plot "--images" --images 0
bad_plot "--first: found 99999" --first 99999
bad_plot "sampling steps is 25" --sampling-steps 25

echo "-- plot_restorations"
ok plot_restorations --models run/model.safetensors,run/model.safetensors --images 2 --limit 20 --share 0.5 --out restorations.png
png restorations.png
grep -q "sampled  *0\.[0-9]" log.txt || fail "plot_restorations prints no scores"
expect "--first: found 19" plot_restorations --models run/model.safetensors --limit 20 --first 19 --out restorations.png

helps check_degradation pixel_distribution plot_schedules plot_reconstruction plot_restorations
echo "all as it should be"
