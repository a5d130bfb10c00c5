#!/usr/bin/env bash
# Pictures of the user, degraded and restored: the same as on a data split, by tiles, with masks; bad input.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

cat >pictures.py <<'PY'
import array, gzip, struct, zlib

def write(path, rows, channels=1):
    chunk = lambda name, body: struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    header = struct.pack(">IIBBBBB", len(rows[0]) // channels, len(rows), 8, 2 if channels == 3 else 0, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))

def read(path):
    raw, at, data = open(path, "rb").read(), 8, b""
    while at < len(raw):
        size, name = struct.unpack(">I4s", raw[at : at + 8])
        body = raw[at + 8 : at + 8 + size]
        if name == b"IHDR":
            width, height, depth, kind = struct.unpack(">IIBB", body[:10])
            assert depth == 8 and kind in (0, 2), (depth, kind)
        data += body if name == b"IDAT" else b""
        at += size + 12
    step = 3 if kind == 2 else 1
    line, data, before, rows = width * step, zlib.decompress(data), [0] * width * step, []
    for y in range(height):
        filtered, row = data[y * (line + 1)], list(data[y * (line + 1) + 1 : (y + 1) * (line + 1)])
        for i in range(line):
            left, up, corner = (row[i - step] if i >= step else 0), before[i], (before[i - step] if i >= step else 0)
            p = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(p - v))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth)[filtered]) % 256
        rows.append(row)
        before = row
    return rows

def values(path):
    raw = open(path, "rb").read()
    return array.array("f", raw[10 + int.from_bytes(raw[8:10], "little") :])

def digits(folder, count):
    raw = gzip.open(folder + "/t10k-images-idx3-ubyte.gz").read()[16 : 16 + count * 784]
    return [[list(raw[n * 784 + y * 28 : n * 784 + y * 28 + 28]) for y in range(28)] for n in range(count)]
PY
export PYTHONPATH=$work
mkdir clean large small odd
python3 - "$data" <<'PY'
import sys, pictures
digits = pictures.digits(sys.argv[1], 24)
for n, digit in enumerate(digits): pictures.write("clean/%02d.png" % n, digit)
for n in 0, 1: pictures.write("large/%d.png" % n, [digits[n][y % 28] + digits[n + 2][y % 28][: 9 + n] for y in range(41)])
pictures.write("small/digit.png", [row[6:20] for row in digits[5][8:20]])
pictures.write("odd/coloured.png", [[v for v in row for _ in range(3)] for row in digits[0]], 3)
pictures.write("mask.png", [[0 if 10 <= y < 18 and 10 <= x < 18 else 255 for x in range(28)] for y in range(28)])
PY

tiny=(--network reconstructor --data "$data" --limit 256 --widths "4,3" --samples 0 --epochs 1)
for method in flow inpaint salt_pepper zoom_nearest; do ok train --method $method "${tiny[@]}" --out $method; done

echo "-- degrade"
ok degrade --method flow --in clean --out noisy --step 200 --seed 3 --npy
ok degrade --model flow/model.safetensors --in clean --out again --step 200 --seed 3
same noisy/07.png again/07.png
same noisy/degradation.json again/degradation.json
grep -q "of the values lie outside" log.txt || fail "degrade does not say that PNG clips"
ok degrade --method inpaint --in clean --out holes --step 14 --npy
python3 - "$data" <<'PY' || fail "degraded pictures"
import json, sys, pictures
note = json.load(open("noisy/degradation.json"))
assert note == dict(method="flow", steps=320, numbers={}, sources={}, step=200, seed=3, files=["%02d" % n for n in range(24)]), note
digits = pictures.digits(sys.argv[1], 24)
for n in 0, 23:
    exact, rounded = pictures.values("noisy/%02d.npy" % n), pictures.read("noisy/%02d.png" % n)
    assert any(v < 0 or v > 1 for v in exact)
    for i, v in enumerate(exact):
        assert abs(min(1, max(0, v)) * 255 - rounded[i // 28][i % 28]) <= 0.501, (n, i, v)
    # Rings from the middle are lost: those of order 0.01 + 0.98 r <= 1 / 2 become 1/2.
    holes = pictures.read("holes/%02d.png" % n)
    for y in range(28):
        for x in range(28):
            lost = 0.01 + 0.98 * max(abs(2 * y - 27), abs(2 * x - 27)) / 27 <= 0.5
            assert holes[y][x] == (128 if lost else digits[n][y][x]), (n, y, x)
PY
ok degrade --method inpaint --in clean/05.png --out holes
[ ! -e holes/05.npy ] || fail "values of another step stay beside the picture"

echo "-- methods that read pictures: the model's file names them"
ok train --method mask --mask mask.png "${tiny[@]}" --out hidden
ok degrade --model hidden/model.safetensors --in clean --out half --step 5
ok restore --model hidden/model.safetensors --in half --out half-restored
ok degrade --method mask --in clean --out given --step 5
expect "found mask = '', the model has 'mask.png'" restore --model hidden/model.safetensors --in given --out bad
ok degrade --method blend --others clean --in clean --out blended
python3 - "$data" <<'PY' || fail "a mask or other pictures of the user's do something else"
import sys, pictures
digits = pictures.digits(sys.argv[1], 24)
seen = set()
for n in range(24):
    half = pictures.read("half/%02d.png" % n)
    for y in range(28):
        for x in range(28):
            wanted = digits[n][y][x] / 2 if 10 <= y < 18 and 10 <= x < 18 else digits[n][y][x]
            assert abs(half[y][x] - wanted) <= 0.51, (n, y, x)
    blended = pictures.read("blended/%02d.png" % n)
    assert blended in digits, n
    seen.add(digits.index(blended))
assert len(seen) > 5, seen
PY
expect "--mask: found no file nowhere.png" train --method mask --mask nowhere.png "${tiny[@]}" --out bad
expect "--mask: a flow model has none" train --method flow --mask mask.png "${tiny[@]}" --out bad

echo "-- restore: the same as test_restoration measures on the data"
restore() { ok restore --model "$1/model.safetensors" --out "$2" "${@:3}"; }
declare -A steps=([flow]=200 [inpaint]=14 [salt_pepper]=6)
for method in "${!steps[@]}"; do
  step=${steps[$method]}
  ok degrade --method "$method" --in clean --out "given-$method" --step "$step" --npy
  restore "$method" "$method-restored" --in "given-$method" --clean clean --json "$method.json" --png "$method.png" \
    --sampling-steps 4
  ok test_restoration --model "$method/model.safetensors" --data "$data" --limit 24 --draws 1 --step "$step" \
    --sampling-steps 4 --json "$method-split.json"
done
python3 - <<'PY' || fail "restore and test_restoration say different things"
import json
for method in "flow", "inpaint", "salt_pepper":
    found, wanted = json.load(open(method + ".json")), json.load(open(method + "-split.json"))
    assert found["n"] == wanted["n"] == 24 and found["step"] == wanted["step"], found
    for here, there in ("degraded", "degraded"), ("direct", "direct"), ("sampled", "drawn"):
        for score in "rmse", "psnr", "ssim":
            a, b = found[here][score], wanted[there][score]
            assert abs(a - b) <= 1e-4 * abs(b), (method, here, score, a, b)
PY
for file in flow-restored/direct/23.png flow-restored/sampled/00.png flow.png; do
  [ -s $file ] || fail "restore wrote no $file"
done
restore flow one --in given-flow --way sampled --sampling-steps 4 --threads 1
same one/11.png flow-restored/sampled/11.png
# The draw that made the pictures is repeated: another leaves other pictures.
sed 's/"seed": 0/"seed": 1/' given-salt_pepper/degradation.json >other.json
mv other.json given-salt_pepper/degradation.json
restore salt_pepper other --in given-salt_pepper --way sampled --sampling-steps 4
if cmp -s other/11.png salt_pepper-restored/sampled/11.png; then fail "the seed in degradation.json does nothing"; fi

echo "-- by tiles"
ok degrade --method flow --in large --out large-noisy --npy
restore flow large-restored --in large-noisy --clean large --sampling-steps 3 --png large.png
ok degrade --method flow --in small --out small-noisy
restore flow small-restored --in small-noisy --way direct
python3 - <<'PY' || fail "pictures of other sizes"
import pictures
for path, wanted in ("large-restored/sampled/1.png", (41, 38)), ("small-restored/digit.png", (12, 14)):
    rows = pictures.read(path)
    assert (len(rows), len(rows[0])) == wanted, (path, len(rows), len(rows[0]))
PY
ok degrade --method zoom_nearest --in large --out zoomed --steps 24
bad() { expect "$1" restore --out bad "${@:2}"; }
bad "by tiles go flow" --model zoom_nearest/model.safetensors --in zoomed
bad "found 3 channels, the model is for 1" --model flow/model.safetensors --in odd

echo "-- a mask"
restore inpaint filled --in clean/03.png --mask mask.png --clean clean
grep -q "03: from step 8 of 28" log.txt || fail "the mask names another step: $(tail -n 5 log.txt)"
restore flow drawn --in clean --mask mask.png --way sampled
python3 - <<'PY' || fail "known pixels"
import pictures
clean, mask = pictures.read("clean/03.png"), pictures.read("mask.png")
for path in "filled/direct/03.png", "filled/sampled/03.png", "drawn/03.png":
    found = pictures.read(path)
    inside = [found[y][x] for y in range(28) for x in range(28) if mask[y][x] == 0]
    assert all(found[y][x] == clean[y][x] for y in range(28) for x in range(28) if mask[y][x]), path
    assert len(inside) == 64 and len(set(inside)) > 8, (path, inside)
PY
bad "the method keeps something of the pixels that the mask misses" \
  --model zoom_nearest/model.safetensors --in clean --mask mask.png
bad "found a step beside --mask" --model inpaint/model.safetensors --in clean --mask mask.png --step 3

echo "-- bad input"
bad "found pictures degraded by inpaint, the model undoes flow" --model flow/model.safetensors --in given-inpaint
bad "--step: found 3, given-flow/degradation.json says 200" --model flow/model.safetensors --in given-flow --step 3
bad "--seed: found 9, given-flow/degradation.json says 0" --model flow/model.safetensors --in given-flow --seed 9
bad "--step: found 29, wanted 1 to T = 28" --model inpaint/model.safetensors --in clean --step 29
bad "found no picture 00 in large" --model flow/model.safetensors --in given-flow --clean large
cp clean/00.png given-flow/more.png
bad "more: found no such picture in degradation.json" --model flow/model.safetensors --in given-flow
echo '{"method": 3}' >holes/degradation.json
bad "holes/degradation.json: found no note of the program degrade" --model inpaint/model.safetensors --in holes
ok restore --model flow/model.safetensors --in clean --way sampled --sampling-steps 1 --out unknown
grep -q "draws at random and no degradation.json says how" log.txt || fail "restore does not say where its keys come from"
expect "found clean, the folder of the pictures themselves" restore --model flow/model.safetensors --in clean --out clean
expect "found clean/, the folder of the pictures themselves" degrade --method flow --in clean --out clean/
bad_degrade() { expect "$1" degrade --out bad "${@:2}"; }
bad_degrade "--method: wanted --method, or --model" --in clean
bad_degrade "found options of a method beside it" --model flow/model.safetensors --in clean --steps 5
bad_degrade "--steps: found 24, wanted 1 to 11" --method zoom_nearest --in small
bad_degrade "--step: found 25, wanted 1 to T = 24" --method zoom_nearest --in clean --step 25
bad_degrade "nowhere" --method flow --in nowhere
[ ! -e bad ] || fail "a program that failed has left a folder"

helps degrade restore
echo "all good"
