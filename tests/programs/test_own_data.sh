#!/usr/bin/env bash
# Training on a user's own pictures, from outside: folders, archives, changed at random, resumed; bad ones.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

python3 - <<'PY'
import pathlib, struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for i in range(120):
    rows = b"".join(b"\0" + bytes((i * 2 + x * y) % 256 for x in range(12)) for y in range(10))
    header = struct.pack(">IIBBBBB", 12, 10, 8, 0, 0, 0, 0)
    path = pathlib.Path("photos") / ("ab"[i % 2]) / f"{i}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
pathlib.Path("photos/a/bad.png").write_text("Dear all,")
PY
tar cf photos.tar -C photos .

small=(--method zoom_nearest --image-size 10 --steps 5 --batch-size 32 --widths "4,4" --epochs 2 --samples 0)
changes=(--flip 0.5 --shift 1 --crop 0.9)

for data in photos photos.tar; do
  echo "-- $data: the same bits on one thread and two, and after --resume"
  ok train "${small[@]}" "${changes[@]}" --data $data --out one --threads 1
  ok train "${small[@]}" "${changes[@]}" --data $data --out two --threads 2
  same one/model.safetensors two/model.safetensors
  rm -r two/checkpoint-2
  ok train "${small[@]}" "${changes[@]}" --data $data --out two --resume
  same one/checkpoint-2/state.safetensors two/checkpoint-2/state.safetensors
  grep -q "bad.png: found a file that begins with" log.txt || fail "nothing is said of the bad picture"
  rm -r one/checkpoint-2
  "$bin/train" "${small[@]}" --data $data --out one --resume 2>err.txt && fail "a run went on without its changes"
  grep -q "made with data_fingerprint = " err.txt || fail "other changes: $(cat err.txt)"
  ok test_loss --model two/model.safetensors
  rm -r one two log.txt
done

echo "-- bad pictures and sizes"
"$bin/train" "${small[@]}" --data photos --strict --out strict 2>err.txt && fail "--strict took a bad picture"
grep -q -- "--strict: photos/a/bad.png: found" err.txt || fail "--strict: $(cat err.txt)"
"$bin/train" --method zoom_nearest --data photos --image-size 10xx --out wrong 2>err.txt && fail "a wrong size was taken"
grep -q -- "--image-size: found '10xx'" err.txt || fail "--image-size: $(cat err.txt)"
