#!/usr/bin/env bash
# train and sample under mpirun, with each MPI that is there: the same bits on any number of ranks, ranks that die, runs that do
# not fit.
set -euo pipefail
# shellcheck source=tests/programs/common.sh
. "${COLDZOOM_SOURCE_DIR:?}/tests/programs/common.sh"

# Both start more ranks than there are CPUs, as root too, and pin none.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1

mpis=()
for mpi in openmpi mpich; do
  if [ -x "$COLDZOOM_BUILD_DIR/tests/coldzoom_train_$mpi" ]; then mpis+=("$mpi"); fi
done
if [ ${#mpis[@]} -eq 0 ]; then
  echo "found neither mpicxx.openmpi nor mpicxx.mpich"
  exit 77
fi

small=(--data "$data" --limit 300 --batch-size 128 --samples 4 --threads 1)
any=(--method zoom_nearest --widths "4,4")
zoom=("${any[@]}" --shares 4)
# shellcheck disable=SC2034 # read by name below
ddpm=(--method ddpm_linear --steps 50 --widths "4,4" --ema 0.9 --shares 4)
# shellcheck disable=SC2034
labels=(--method zoom_frontier --network unet --widths "8,8,8" --labels --clip-norm 1 --flip 0.5 --shares 4)

for mpi in "${mpis[@]}"; do
  train="$COLDZOOM_BUILD_DIR/tests/coldzoom_train_$mpi"
  ranks() { # NUMBER OPTION...
    timeout 300 "mpirun.$mpi" -n "$1" "$train" "${small[@]}" "${@:2}"
  }
  refused() { # MESSAGE COMMAND...
    if "${@:2}" >log.txt 2>&1; then fail "$mpi: it succeeds: ${*:2}"; fi
    grep -qF -- "$1" log.txt || fail "$mpi: no '$1' in $(tail -n 20 log.txt)"
  }

  echo "-- $mpi: models and checkpoints do not depend on the number of ranks"
  for name in zoom ddpm labels; do
    declare -n options=$name
    "$train" "${small[@]}" "${options[@]}" --epochs 2 --out "$mpi-$name-one" >/dev/null
    for number in 1 2 4; do
      ranks "$number" "${options[@]}" --epochs 2 --out "$mpi-$name-$number" >log.txt
      same "$mpi-$name-one/model.safetensors" "$mpi-$name-$number/model.safetensors"
      same "$mpi-$name-one/checkpoint-2/state.safetensors" "$mpi-$name-$number/checkpoint-2/state.safetensors"
      [ "$(grep -c "^epoch" log.txt)" = 2 ] || fail "$mpi: not one rank speaks: $(cat log.txt)"
    done
    rm -r "$mpi-$name-"[124]
    sample() { # NUMBER
      timeout 300 "mpirun.$mpi" -n "$1" "${train/train_/sample_}" --model "$mpi-$name-one/model.safetensors" --data "$data" \
        --count 50 --sampling-steps 6 --threads 1 --out "$mpi-$name-$1.npy" >log.txt
      [ "$(wc -l <log.txt)" = 2 ] || fail "$mpi: not one rank speaks: $(cat log.txt)"
    }
    for number in 1 2 3; do # three ranks draw one sample too many
      sample "$number"
      same "$mpi-$name-1.npy" "$mpi-$name-$number.npy"
    done
    "$bin/sample" --model "$mpi-$name-one/model.safetensors" --data "$data" --count 50 --sampling-steps 6 --out alone.npy >log.txt
    same "$mpi-$name-1.npy" alone.npy
  done

  echo "-- $mpi: goes on with other ranks, whose shares are those of the run"
  "$train" "${small[@]}" "${zoom[@]}" --epochs 3 --out "$mpi-whole" >/dev/null
  ranks 4 "${any[@]}" --epochs 1 --out "$mpi-resumed" >/dev/null
  ranks 2 "${any[@]}" --epochs 2 --out "$mpi-resumed" --resume >/dev/null
  "$train" "${small[@]}" "${any[@]}" --epochs 3 --out "$mpi-resumed" --resume >/dev/null
  same "$mpi-whole/model.safetensors" "$mpi-resumed/model.safetensors"

  echo "-- $mpi: a rank that is killed ends the run, which then goes on"
  "$train" "${small[@]}" "${zoom[@]}" --epochs 12 --out "$mpi-long" >/dev/null
  mkdir "$mpi-killed"
  for kill in 1 2 3 4 5 6; do
    ranks 2 "${zoom[@]}" --epochs 12 --out "$mpi-killed" --resume >log.txt 2>&1 &
    run=$!
    processes=()
    while [ ${#processes[@]} -lt 2 ] && kill -0 $run 2>/dev/null; do
      mapfile -t processes < <(pgrep -f -- "^$train .*--out $mpi-killed")
    done
    sleep "0.$((RANDOM % 6 + 2))"
    if [ ${#processes[@]} = 2 ]; then kill -KILL "${processes[kill % 2]}" 2>/dev/null || true; fi
    for ((tenths = 0; tenths < 200; ++tenths)); do
      kill -0 $run 2>/dev/null || break
      sleep 0.1
    done
    if kill -0 $run 2>/dev/null; then
      [ ! -e "$mpi-killed/checkpoint-12" ] && fail "$mpi: hangs after the death of a rank"
    fi
    wait $run && break # it was at its end before
  done
  "$train" "${small[@]}" "${zoom[@]}" --epochs 12 --out "$mpi-killed" --resume >/dev/null
  same "$mpi-long/model.safetensors" "$mpi-killed/model.safetensors"
  same "$mpi-long/checkpoint-12/state.safetensors" "$mpi-killed/checkpoint-12/state.safetensors"

  echo "-- $mpi: SIGTERM stops all ranks"
  "mpirun.$mpi" -n 2 "$train" "${small[@]}" "${zoom[@]}" --epochs 10000 --out "$mpi-stopped" >log.txt 2>&1 &
  run=$!
  for ((tenths = 0; tenths < 300; ++tenths)); do
    [ ! -d "$mpi-stopped/checkpoint-2" ] || break
    sleep 0.1
  done
  kill -TERM $run
  if wait $run; then fail "$mpi: SIGTERM is success"; fi
  grep -q "interrupted by SIGTERM" log.txt || fail "$mpi: SIGTERM is not named: $(tail log.txt)"
  if pgrep -f -- "^$train .*--out $mpi-stopped" >log.txt; then fail "$mpi: ranks live on: $(cat log.txt)"; fi

  echo "-- $mpi: runs that do not fit are refused"
  refused "this folder holds a run already" ranks 2 "${zoom[@]}" --epochs 1 --out "$mpi-whole"
  refused "3 ranks; the ranks must divide the shares" ranks 3 "${zoom[@]}" --epochs 1 --out "$mpi-refused"
  refused "rank 1: found other options than rank 0 has" timeout 60 "mpirun.$mpi" -n 1 "$train" "${small[@]}" "${zoom[@]}" \
    --epochs 1 --out "$mpi-refused" : -n 1 "$train" "${small[@]}" "${zoom[@]}" --epochs 2 --out "$mpi-refused"
  rm -rf "$mpi-refused"
  # The same options, and a label that differs.
  for rank in 0 1; do
    mkdir -p "own-$rank/digits" && cp "$data"/* "own-$rank/digits"
  done
  python3 - "own-1/digits/t10k-labels-idx1-ubyte.gz" <<'CODE'
import gzip
import sys

labels = bytearray(gzip.open(sys.argv[1]).read())
labels[8] = (labels[8] + 1) % 10
gzip.open(sys.argv[1], "wb").write(labels)
CODE
  cat >in_own_folder.sh <<CODE
cd "$PWD/own-\${OMPI_COMM_WORLD_RANK:-\$PMI_RANK}" && exec "\$@"
CODE
  refused "rank 1: found other data than rank 0 has" timeout 60 "mpirun.$mpi" -n 2 bash "$PWD/in_own_folder.sh" "$train" \
    --method zoom_nearest --widths 4,4 --data digits --threads 1 --limit 300 --epochs 1 --out run
  rm -rf own-0 own-1
  ldd "$bin/train" >libraries.txt
  grep -q libmpi libraries.txt || refused "this program knows no MPI" timeout 60 "mpirun.$mpi" -n 2 "$bin/train" "${small[@]}" "${zoom[@]}" --epochs 1 --out "$mpi-refused"
done
