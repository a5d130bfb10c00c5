#!/usr/bin/env bash
# The programs that score, from outside: what they write, that they repeat and resume to the bit, what they say to bad
# input.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

echo "-- train_classifier"
smoke=(--data "$data" --smoke)
ok train_classifier "${smoke[@]}" --out whole --threads 2
ok train_classifier "${smoke[@]}" --out one --threads 1
same whole/model.safetensors one/model.safetensors
rm -r one/checkpoint-2
ok train_classifier "${smoke[@]}" --out one --resume
same whole/model.safetensors one/model.safetensors
same whole/checkpoint-2/state.safetensors one/checkpoint-2/state.safetensors
[ "$(wc -l <one/log.jsonl)" = 2 ] || fail "log.jsonl has not one line an epoch"
expect "holds a run already" train_classifier "${smoke[@]}" --out whole
expect "this run has 3" train_classifier "${smoke[@]}" --out whole --resume --seed 3
expect "--shift" train_classifier "${smoke[@]}" --out bad --shift -1
expect "--learning-rate" train_classifier "${smoke[@]}" --out bad --learning-rate nan
expect "--batch-size" train_classifier "${smoke[@]}" --out bad --batch-size 513
expect "not finite" train_classifier "${smoke[@]}" --out bad --learning-rate 1e38

echo "-- evaluate: floor and controls"
ok make_controls --data "$data" --count 900 --out controls
[ "$(find controls -name '*.npy' | wc -l)" = 4 ] || fail "make_controls wrote other files"
evaluate() { "$bin/evaluate" --data "$data" "$@" 2>>log.txt || fail "evaluate $*: $(tail -n 3 log.txt)"; }
evaluate --samples test --smoke --json --threads 2 >floor.json
evaluate --samples test --smoke --json --threads 1 >floor1.json
same floor.json floor1.json
evaluate --samples test --smoke --json --class 0 --reference train >train.json
evaluate --samples controls/without_1.npy --json without_1.json >words.txt
grep -q "frechet_distance" words.txt || fail "evaluate prints no words"
python3 - <<'PY' || fail "scores are not as documented"
import json
floor, spoilt = json.load(open("floor.json")), json.load(open("without_1.json"))
other = json.load(open("train.json"))
assert other["reference"] != floor["reference"] and "train split" in other["reference"], other
assert other["asked_class_share"] == floor["class_histogram"][0] and "asked_class_share" not in floor
assert other["frechet_distance"] != floor["frechet_distance"] and other["copy_share"] == floor["copy_share"]
wanted = """n reference features frechet_distance frechet_infinity kid kid_error precision recall density coverage
  class_histogram class_kl unconfident_share copy_share duplicate_share""".split()
for scores in floor, spoilt:
    assert set(wanted) <= set(scores), scores
    assert len(scores["class_histogram"]) == 10 and abs(sum(scores["class_histogram"]) - 1) < 1e-9
    assert "test split of 2000" in scores["reference"] and scores["warnings"]
assert floor["n"] == 828 and spoilt["n"] == 900
assert spoilt["class_kl"] > 5 * floor["class_kl"] and spoilt["frechet_distance"] > floor["frechet_distance"]
PY

echo "-- evaluate: scores that are not defined are null, the others are there"
python3 - "$data" <<'PY'
import gzip, os, struct, sys
def read(name):
    raw = gzip.open(f"{sys.argv[1]}/{name}.gz").read()
    rank = raw[3]
    return raw[:4], struct.unpack(f">{rank}I", raw[4:4 + 4 * rank]), raw[4 + 4 * rank:]
def write(folder, name, head, extents, body):
    os.makedirs(folder, exist_ok=True)
    open(f"{folder}/{name}", "wb").write(head + struct.pack(f">{len(extents)}I", *extents) + body)
def keep(folder, fits):
    for split in "train", "t10k":
        head, (n, h, w), pixels = read(split + "-images-idx3-ubyte")
        label_head, _, labels = read(split + "-labels-idx1-ubyte")
        kept = [i for i in range(n) if fits(i, labels[i])]
        write(folder, split + "-images-idx3-ubyte", head, (len(kept), h, w),
              b"".join(pixels[i * h * w:(i + 1) * h * w] for i in kept))
        write(folder, split + "-labels-idx1-ubyte", label_head, (len(kept),), bytes(labels[i] for i in kept))
keep("zeros", lambda i, label: label == 0)
PY
evaluate --samples controls/noise.npy --count 3 --json few.json >/dev/null
evaluate --samples controls/noise.npy --count 1 --json >one.json
evaluate --samples controls/repeated.npy --count 300 --json >hundreds.json
"$bin/evaluate" --data zeros --samples controls/without_1.npy --json >absent.json || fail "a class that is absent"
"$bin/evaluate" --data zeros --samples controls/without_1.npy >words.txt || fail "a class that is absent, in words"
grep -q "class_kl is not known: .*class" words.txt || fail "no warning: $(cat words.txt)"
python3 - <<'PY' || fail "scores that are not defined"
import json
read = lambda name: json.load(open(name))
null = lambda scores: {key for key, value in scores.items() if value is None}
rest = {"frechet_infinity", "frechet_infinity_interval"}
few, one, hundreds, absent = (read(name + ".json") for name in ("few", "one", "hundreds", "absent"))
assert null(few) > rest and few["n"] == 3 and few["total_variation"] > 0 and few["copy_share"] >= 0, few
assert null(one) >= rest | {"frechet_distance"} and one["n"] == 1 and one["unconfident_share"] in (0, 1), one
assert null(hundreds) == rest and hundreds["n"] == 300, hundreds
assert "class_kl" in null(absent) and absent["total_variation"] > 0.5 and absent["recall"] >= 0, absent
for scores in few, one, hundreds, absent:
    assert sum("is not known: " in warning for warning in scores["warnings"]) >= 1, scores["warnings"]
    assert set(read("floor.json")) == set(scores), scores
PY

echo "-- evaluate: memory"
python3 - "$bin/evaluate" "$data" <<'PY' || fail "memory grows with the samples by more than their features"
import os, subprocess, sys
data = open("controls/noise.npy", "rb").read()
header, pixels = data[:128], data[128:]
def peak(times):
    n = b"%d" % (900 * times)
    line = header.replace(b"900", n).rstrip()
    with open("many.npy", "wb") as file:  # in parts: this process's own memory counts until evaluate begins
        file.write(line + b" " * (127 - len(line)) + b"\n")
        for _ in range(times):
            file.write(pixels)
    # With a fixed threshold glibc gives every large block back at once, so that the peak is what is alive and not what
    # an earlier order of blocks left behind: a difference of 12 to 20 MiB from run to run otherwise, 0.3 MiB so.
    exact = dict(os.environ, MALLOC_MMAP_THRESHOLD_="65536", MALLOC_TRIM_THRESHOLD_="65536")
    with subprocess.Popen([sys.argv[1], "--data", sys.argv[2], "--samples", "many.npy", "--json", "many.json",
                           "--threads", "1"], stdout=subprocess.DEVNULL, env=exact) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
    assert status == 0
    return usage.ru_maxrss / 1024
few, many = peak(6), peak(16)
more = 9000 / 2**20
features, pixels_too = more * 128 * 4, more * 784 * 4
print(f"{few:.1f} MiB, {many:.1f} MiB with 9000 samples more, of {features:.1f} MiB of features and {pixels_too:.1f} of pixels")
assert many - few < features + 4
PY
rm many.npy

echo "-- sort_samples"
ok sort_samples --samples controls/blur.npy --out sorted
for file in good.png bad.png good.npy bad.npy confidence.csv; do [ -s "sorted/$file" ] || fail "no sorted/$file"; done
ok sort_samples --samples controls/blur.npy --threshold 0 --out all
same all/good.npy controls/blur.npy
[ ! -e all/bad.png ] || fail "a picture of nothing"
python3 - <<'PY' || fail "confidence.csv is not as documented"
import csv
rows = list(csv.DictReader(open("sorted/confidence.csv")))
assert len(rows) == 900 and [int(r["index"]) for r in rows] == list(range(900))
good = sum(float(r["confidence"]) >= 0.9 for r in rows)
shape = eval(open("sorted/good.npy", "rb").read(128)[10:].split(b"\n")[0])["shape"]
assert shape == (good, 28, 28) and 0 < good < 900, (shape, good)
assert all(0 <= int(r["class"]) <= 9 and 0.1 <= float(r["confidence"]) <= 1 for r in rows)
PY

echo "-- evaluate_run"
ok train_zoom_nearest --data "$data" --limit 320 --batch-size 64 --widths "5,4" --samples 0 --epochs 3 --out run
ok evaluate_run --run run --data "$data" --smoke --every 2 # epochs 2 and 3
cp run/metrics.jsonl some.jsonl
[ -s run/metrics.png ] || fail "no run/metrics.png"
ok evaluate_run --run run --data "$data" --smoke --threads 1 # epoch 1 is missing
[ "$(sed 1d run/metrics.jsonl)" = "$(cat some.jsonl)" ] || fail "epochs that were scored are not left alone"
# What evaluate says of the samples that sample draws, but for the rounding of another program.
ok sample --model run/checkpoint-1/model.safetensors --data "$data" --count 828 --out first.npy
evaluate --samples first.npy --json first.json >>log.txt
python3 - <<'PY' || fail "metrics.jsonl is not as documented"
import json
lines = [json.loads(line) for line in open("run/metrics.jsonl")]
assert [line["epoch"] for line in lines] == [1, 2, 3], lines
alone = json.load(open("first.json"))
for key, value in alone.items():
    found = lines[0][key]
    pairs = list(zip(found, value, strict=True)) if isinstance(value, list) else [(found, value)]
    for x, y in pairs:
        assert x == y or abs(x - y) <= 1e-9 * abs(y), (key, x, y)
PY

echo "-- bad input"
for file in centred bytes nan small words; do
  python3 - $file <<'PY'
import array, struct, sys
kind = sys.argv[1]
n, dtype, code, value = {"centred": (900, "<f4", "f", -0.5), "bytes": (900, "|u1", "B", 255),
                         "nan": (900, "<f4", "f", float("nan")), "small": (100, "<f4", "f", 0.5),
                         "words": (900, "<f4", "f", 255.0)}[kind]
header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({n}, 28, 28), }}"
header += " " * (63 - (10 + len(header)) % 64) + "\n"
open(kind + ".npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                                + array.array(code, [value]) .tobytes() * (n * 784))
PY
done
for program in evaluate sort_samples; do
  options=()
  [ $program = sort_samples ] || options=(--data "$data")
  expect "range unit" $program "${options[@]}" --samples centred.npy
  expect "'|u1', wanted '<f4'" $program "${options[@]}" --samples bytes.npy
  expect "range unit" $program "${options[@]}" --samples nan.npy
  expect "range unit" $program "${options[@]}" --samples words.npy
  expect "absent.npy" $program "${options[@]}" --samples absent.npy
  expect "no classifier" $program "${options[@]}" --samples small.npy --classifier whole/checkpoint-1/state.safetensors
  expect "required" $program
done
expect "--count" evaluate --data "$data" --samples test --count -3
expect "absent" evaluate --data absent --samples test
expect "--threshold" sort_samples --samples small.npy --threshold 1.5
expect "--threshold" sort_samples --samples small.npy --threshold nan
expect "--count" make_controls --count 0
expect "at least 828" evaluate_run --run run --count 827
expect "absent" evaluate_run --run absent
mkdir empty
expect "no checkpoint-EPOCH" evaluate_run --run empty
expect "was scored with seed 0" evaluate_run --run run --data "$data" --smoke --seed 1
expect "wanted naive or tacos" evaluate_run --run run --data "$data" --smoke --sampler ddim
expect "sampling steps" evaluate_run --run run --data "$data" --smoke --sampling-steps 25
echo '{"epoch": 1' >>run/metrics.jsonl
expect "line 4 is no line of scores" evaluate_run --run run --data "$data" --smoke

helps train_classifier evaluate evaluate_run sort_samples make_controls
echo "all as it should be"
