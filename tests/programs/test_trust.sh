#!/usr/bin/env bash
# What breaks in users' hands: runs that die or diverge, logs that people touched, lost output, signals, numbers as people write them.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

small=(--method zoom_nearest --data "$data" --limit 64 --batch-size 64 --widths "4,4" --samples 4 --threads 1)
train() { ok train "${small[@]}" "$@"; }
bad_train() { expect "$1" train "${small[@]}" "${@:2}"; }
said() { grep -qF -- "$1" log.txt || fail "no '$1' in the output: $(tail -n 5 log.txt)"; }

train --epochs 3 --out whole

echo "-- a run that dies before its first checkpoint starts again"
for resume in "" --resume; do
  for blocks in 0 1 300; do # dies in the first file, in the latents, in the checkpoint
    rm -rf early
    { (ulimit -f "$blocks" && "$bin/train" "${small[@]}" --epochs 3 --out early >/dev/null); } 2>/dev/null &&
      fail "a run has written more than ulimit allows"
    mkdir -p early/checkpoint-7.partial # of a run that was killed
    touch early/model.safetensors.tmp12-0 early/samples-1.png.tmp7-3 early/mine.tmp
    train --epochs 3 --out early $resume
    same whole/model.safetensors early/model.safetensors
    same whole/checkpoint-3/state.safetensors early/checkpoint-3/state.safetensors
    [ "$(find early -name '*.partial' -o -name '*.tmp*-*' | wc -l)" = 0 ] || fail "leftovers: $(ls early)"
    [ -e early/mine.tmp ] || fail "a file of the user's is gone"
    [ "$(wc -l <early/log.jsonl)" = 3 ] || fail "log.jsonl has not one line an epoch"
  done
done
said "found no checkpoint in early; starts from the beginning"
bad_train "found no such folder, and so nothing to resume" --epochs 1 --out nowhere --resume
[ ! -e nowhere ] || fail "a run that did not start has made a folder"
mkdir model && cp whole/model.safetensors model
bad_train "holds a run already" --epochs 1 --out model
bad_train "found a model and no checkpoint to resume" --epochs 1 --out model --resume
same whole/model.safetensors model/model.safetensors

echo "-- a damaged checkpoint: the one before"
damage() { # HOW FILE
  case $1 in
    cut) head -c 3000 "$2" >shorter.part && mv shorter.part "$2" ;;
    empty) : >"$2" ;;
    text) echo "<html>" >"$2" ;;
  esac
}
for how in cut empty text; do
  rm -rf damaged && cp -r whole damaged
  damage $how damaged/checkpoint-3/state.safetensors
  train --epochs 3 --out damaged --resume
  said "goes on from the checkpoint before"
  same whole/checkpoint-3/state.safetensors damaged/checkpoint-3/state.safetensors
  [ "$(wc -l <damaged/log.jsonl)" = 3 ] || fail "the log of the resumed run has not one line an epoch"
  damage $how damaged/checkpoint-3/state.safetensors
  damage $how damaged/checkpoint-2/state.safetensors
  if "$bin/train" "${small[@]}" --epochs 3 --out damaged --resume >/dev/null 2>err.txt; then fail "damaged checkpoints"; fi
  grep -q "error: damaged/checkpoint-2/state.safetensors" err.txt || fail "not both are named: $(cat err.txt)"
done
train --epochs 3 --out whole --resume
said "all 3 epochs are there already"

echo "-- two runs in one folder"
"$bin/train" "${small[@]}" --epochs 100000 --out shared >/dev/null 2>&1 &
first=$!
for _ in $(seq 3000); do [ -e shared/checkpoint-1 ] && break; sleep 0.01; done
bad_train "another program trains into this folder" --epochs 3 --out shared
bad_train "another program trains into this folder" --epochs 3 --out shared --resume
kill -9 "$first"
wait "$first" 2>/dev/null || true
train --epochs 1 --out shared --resume # the lock of a crash is free

echo "-- logs that people touched"
touched() { # NAME: the log as it was after two epochs, through a filter
  rm -rf "$1" && cp -r whole "$1" && rm -rf "$1/checkpoint-3"
  head -n 2 whole/log.jsonl | "${@:2}" >"$1/log.jsonl"
  train --epochs 3 --out "$1" --resume
  ok summarize_run --run "$1" --json "$1.json"
  python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["epochs"] == 3' "$1.json" || fail "$1: an epoch is lost"
  same whole/checkpoint-3/state.safetensors "$1/checkpoint-3/state.safetensors"
}
touched untouched cat
touched no_end head -c -1
touched dos sed 's/$/\r/'
touched blank sed 'G'
touched spaces sed '1i \ \ '
rm -rf notes && cp -r whole notes && rm -rf notes/checkpoint-3
{ head -n 1 whole/log.jsonl; echo "my note"; sed -n 2p whole/log.jsonl; } >notes/log.jsonl
train --epochs 3 --out notes --resume
grep -q "my note" notes/log.jsonl || fail "a line of the user's is gone from the log"
[ "$(wc -l <notes/log.jsonl)" = 4 ] || fail "log.jsonl: $(cat notes/log.jsonl)"
expect "notes/log.jsonl: line 2 is no log entry" summarize_run --run notes

echo "-- not finite: never saved"
for rate in 1e18 1e30; do
  bad_train "not finite" --epochs 3 --learning-rate $rate --out "wild-$rate"
  [ ! -e "wild-$rate/model.safetensors" ] || fail "a model that is not finite was saved"
done
python3 - whole/model.safetensors nan.safetensors huge.safetensors <<'PY'
import struct, sys
raw = open(sys.argv[1], "rb").read()
body = 8 + struct.unpack("<Q", raw[:8])[0]
count = (len(raw) - body) // 4
weights = struct.unpack("<%df" % count, raw[body:])
for path, change in (sys.argv[2], lambda w: float("nan")), (sys.argv[3], lambda w: w * 1e30):
    open(path, "wb").write(raw[:body] + struct.pack("<%df" % count, *map(change, weights)))
PY
expect "found weights that are not finite" sample --model nan.safetensors --count 3 --out nan.npy
expect "found pixels that are not finite in" sample --model huge.safetensors --count 3 --out nan.npy --png nan.png
[ ! -e nan.npy ] || fail "samples that are not finite were saved"

echo "-- lost output is no success"
if [ -e /dev/full ]; then
  for command in "train --help" "train --list" "sample --help" "sample --model whole/model.safetensors --count 2" \
    "summarize_run --run whole"; do
    # shellcheck disable=SC2086
    if "$bin"/$command >/dev/full 2>err.txt; then fail "$command: success on a full disk"; fi
    grep -q "standard output: cannot write" err.txt || fail "$command: $(cat err.txt)"
    # shellcheck disable=SC2086
    if "$bin"/$command >&- 2>err.txt; then fail "$command: success without an output"; fi
  done
fi

echo "-- signals"
for signal in INT TERM HUP; do
  rm -rf stopped
  # A shell without job control starts its children with SIGINT ignored, which the programs leave ignored.
  python3 - "$bin/train" "$signal" "${small[@]}" --epochs 100000 --out stopped <<'PY' || fail "SIG$signal"
import os, signal, subprocess, sys, time
number = getattr(signal, "SIG" + sys.argv[2])
signal.signal(number, signal.SIG_DFL)
child = subprocess.Popen([sys.argv[1]] + sys.argv[3:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
for _ in range(3000):
    if os.path.exists("stopped/checkpoint-1"): break
    time.sleep(0.01)
child.send_signal(number)
words = child.communicate(timeout=60)[1].decode()
assert child.returncode == 128 + number, (child.returncode, words)
assert "interrupted by " in words, words
PY
  [ "$(find stopped -name '*.partial' -o -name '*.tmp*-*' | wc -l)" = 0 ] || fail "SIG$signal leaves files aside"
  train --epochs 1 --out stopped --resume
done

echo "-- numbers as people write them"
count() { # WRITTEN MEANT
  ok sample --model whole/model.safetensors --count "$1" --out numbers.npy
  python3 -c 'import sys; raw = open("numbers.npy", "rb").read(); assert b"(%s, 28, 28)" % sys.argv[1].encode() in raw' "$2" ||
    fail "--count $1 is not $2"
}
count 010 10
count 08 8
count +3 3
for wrong in 0x10 1e1 3.0 "" " 3" "3," ten 99999999999999999999; do
  expect "--count" sample --model whole/model.safetensors --count="$wrong"
done
bad_train "found 18446744073709551616, wanted 0 to 18446744073709551615" --epochs 1 --out bad --seed 18446744073709551616
bad_train "found -5, wanted" --epochs 1 --out bad --seed -5
bad_train "found 0x1p-3, wanted a decimal number" --epochs 1 --out bad --learning-rate 0x1p-3
bad_train "found -1, wanted a number of at least 0" --epochs 1 --out bad --clip-norm -1
[ "$(wc -c <err.txt)" -lt 200 ] || fail "a long answer: $(cat err.txt)"
[ ! -e bad ] || fail "a program that failed has left a folder"

echo "-- outputs: tried before the work, no inputs, and of the kind that their name says"
draw=(--data "$data" --count 2 --threads 1)
cp whole/model.safetensors m.npy && cp whole/model.safetensors real.npy && ln -s m.npy soft.npy && ln m.npy hard.npy
for name in m.npy ./m.npy "$PWD/m.npy" ./whole/../m.npy soft.npy hard.npy; do
  expect "which is --model and would be lost" sample "${draw[@]}" --model m.npy --out "$name"
done
same whole/model.safetensors m.npy
expect "which is --samples and would be lost" show_samples --samples picture.png --out ./picture.png
expect "which is --scores and would be lost" summarize_run --run whole --scores s.json --json s.json
expect "which is --steps-png, too" sample "${draw[@]}" --model m.npy --out s.npy --png a.png --steps-png ./a.png
expect "which is --latent-file and would be lost" sample "${draw[@]}" --model m.npy --latent-file l.npy --out l.npy
expect "ends in .npy" sample "${draw[@]}" --model m.npy --out samples.txt
expect "ends in .png or .svg" summarize_run --run whole --png losses.pdf
expect "ends in .json" evaluate --data "$data" --samples s.npy --json scores.png
# Nothing is read before: the model is not even there.
mkdir folder.npy
touch file
expect "cannot create: No such file or directory" sample --model absent --out nowhere/s.npy
expect "cannot create: Not a directory" sample --model absent --out file/s.npy
expect "cannot write: Is a directory" sample --model absent --out folder.npy
expect "found an empty name" sample --model absent --out ""
expect "found an empty name" test_loss --model absent --json ""
expect "wanted a folder" degrade --method blur --in absent --out file
expect "wanted a folder" train "${small[@]}" --out file/run
expect "wanted a folder" sort_samples --samples absent --out file
for name in s.npy a.png l.npy samples.txt losses.pdf scores.png; do
  [ ! -e $name ] || fail "$name is there, which was only tried or refused"
done
[ "$(find . -maxdepth 1 -name '*.tmp*' | wc -l)" = 0 ] || fail "trials are left: $(ls)"

echo "-- files that are replaced keep their links and permissions"
ln -s real.npy link.npy && ln -s later.npy dangling.npy && ln -s dangling.npy twice.npy && chmod 600 real.npy
for name in link.npy twice.npy; do
  ok sample "${draw[@]}" --model whole/model.safetensors --out $name
  [ -L $name ] || fail "$name is no link any more"
done
if [ ! -L dangling.npy ] || [ ! -f later.npy ] || [ -L later.npy ]; then fail "where the links lead: $(ls -l)"; fi
same real.npy later.npy
[ "$(stat -c %a real.npy)" = 600 ] || fail "permissions became $(stat -c %a real.npy)"
(umask 027 && ok sample "${draw[@]}" --model whole/model.safetensors --out new.npy)
[ "$(stat -c %a new.npy)" = 640 ] || fail "a new file has the permissions $(stat -c %a new.npy)"

echo "-- more threads than CPUs"
"$bin/sample" --data "$data" --count 2 --threads 64 --model whole/model.safetensors --out many.npy >/dev/null 2>err.txt ||
  fail "64 threads"
grep -q "note: --threads 64 on [0-9]* CPU" err.txt || fail "no note: $(cat err.txt)"
same many.npy real.npy

echo "-- a narrow terminal"
python3 - "$bin/train" --method zoom_nearest --data "$data" --limit 640 --widths 4,4 --samples 0 --epochs 3 --threads 1 <<'PY' || fail "the progress bar and the terminal"
import fcntl, os, pty, struct, subprocess, sys, termios
def drawn(columns, term):
    """What a terminal of so many columns gets on stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(sys.argv[1:] + ["--out", "bar-%d-%s" % (columns, term)], stderr=theirs, stdout=subprocess.DEVNULL,
                             env={**os.environ, "TERM": term})
    os.close(theirs)
    text = b""
    while True:
        try: part = os.read(ours, 4096)
        except OSError: break
        if not part: break
        text += part
    assert child.wait() == 0
    return text.decode()
for columns in 20, 40, 80, 120:
    lines = [part for part in drawn(columns, "xterm").split("\r\x1b[K") if part.strip()]
    assert lines and all(len(line) < columns for line in lines), (columns, lines[:3])
    assert any("%" in line for line in lines), lines[:3]
    assert any("images/s" in line for line in lines) == (columns >= 60), lines[:3]
assert drawn(80, "dumb") == ""
PY
echo "all good"
