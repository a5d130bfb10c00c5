#!/usr/bin/env bash
# Every program that computes on a backend has --backend: on a device it does there what it does on the CPU, elsewhere it
# says what is missing. Skips where the programs were built for the CPU alone.
set -euo pipefail

if ! grep -q '^COLDZOOM_CUDA:STRING=ON$' "${COLDZOOM_BUILD_DIR:?}/CMakeCache.txt"; then
  echo "skipped: the programs were built without COLDZOOM_CUDA=ON"
  exit 77
fi
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

# Two calls of the network: each multiplies what the samples differ by, after 24 the rounding has made others of them.
samples="--model run/model.safetensors --count 40 --sampling-steps 2"
declare -A arguments=(
  [custom_degradation]=""
  [degrade]="--method flow --in $COLDZOOM_SOURCE_DIR/docs/images/digits.png --out degraded"
  [evaluate]="--samples test --count 900 --json device.json"
  [evaluate_run]="--run run --smoke --sampling-steps 2"
  [pixel_distribution]="--smoke --kind zoom_nearest --csv device.csv"
  [plot_reconstruction]="--model run/model.safetensors --out reconstruction"
  [plot_schedules]="--steps 50 --out schedules"
  [report]="--runs run --count 20 --out report.html"
  [restore]="--model run/model.safetensors --in one.npy --out restored --sampling-steps 2"
  [sample]="$samples --out device.npy"
  [sort_samples]="--samples host.npy --out sorted"
  [test_restoration]="--model run/model.safetensors --limit 40 --draws 1 --sampling-steps 2"
  [test_loss]="--model run/model.safetensors --limit 200 --json device_loss.json"
  [train]="--method zoom_bilinear --smoke --out trained"
  [train_classifier]="--smoke --out classifier"
  [train_ddpm]="--smoke --steps 20 --out ddpm"
  [train_from_xtensor]="--limit 256"
  [train_zoom_bilinear]="--smoke --out bilinear"
  [train_zoom_nearest]="--smoke --out nearest"
)
ok train_zoom_nearest --smoke --out run
read -ra given <<<"$samples"
ok sample "${given[@]}" --out host.npy
ok sample --model run/model.safetensors --count 1 --out one.npy # 1 x 28 x 28: a picture

device=no
if "$bin/custom_degradation" --backend cuda >probe.txt 2>&1; then device=yes; fi
echo "-- a device: $device"
for source in "$COLDZOOM_SOURCE_DIR"/examples/*.cpp; do
  program=$(basename "$source" .cpp)
  help=$("$bin/$program" --help)
  case $program in
    make_controls | summarize_run | show_samples | convert_diffusers) # these have nothing to compute there
      [[ $help != *--backend* ]] || fail "$program has --backend"
      continue ;;
  esac
  [[ $help == *--backend* ]] || fail "$program has no --backend"
  [[ -v arguments[$program] ]] || fail "this test knows no arguments for $program"
  read -ra given <<<"${arguments[$program]}"
  if [ $device = yes ]; then
    ok "$program" --backend cuda "${given[@]}"
  else
    expect "cuda_backend: " "$program" --backend cuda "${given[@]}"
    grep -q "no CUDA device was found" err.txt || fail "$program says: $(cat err.txt)"
  fi
done
if [ $device = no ]; then
  [ ! -e nearest ] || fail "a run that never began has left a folder"
  exit 0
fi

grep -q "CUDA device 0" log.txt || fail "no program named its device"
ok evaluate --samples test --count 900 --json host.json
ok pixel_distribution --smoke --kind zoom_nearest --csv host.csv
ok test_loss --model run/model.safetensors --limit 200 --json host_loss.json
same device.csv host.csv # pixels are moved and counted, nothing is rounded
python3 - <<'PY' || fail "the device and the CPU say different things"
import array, json
def check(name, keys, allowed):
    device, host = (json.load(open(side + name)) for side in ("device", "host"))
    for key in keys:
        assert abs(device[key] - host[key]) <= allowed(host[key]), (key, device[key], host[key])
check("_loss.json", ["test_loss"], lambda value: 1e-4 * value)  # float32, summed in another order
# Of 900 images a few at the edge of a ball, or between two digits, may change sides.
check(".json", ["frechet_distance", "precision", "recall", "class_kl"], lambda value: 5e-3 + 1e-2 * value)
def read(path):
    file = open(path, "rb")
    header = file.read(10)
    shape = file.read(header[8] + 256 * header[9])
    return shape, array.array("f", file.read())
(shape, device), (wanted_shape, host) = read("device.npy"), read("host.npy")
assert shape == wanted_shape and len(device) == len(host) == 40 * 28 * 28, (shape, wanted_shape)
# Weights that differ by 5e-6 of their size change no pixel by more than 6e-5.
far = [(a, b) for a, b in zip(device, host) if not abs(a - b) < 1e-3]
assert not far, (len(far), far[:3])
PY
