#!/bin/bash
# A study on a Slurm allocation: sbatch clusters/slurm.sh STUDY --runs /SHARED/FOLDER [OPTIONS of run_ablation.py]
#
# Edit the three lines marked EDIT; docs/slurm.md tells the rest. Submit it in the checkout, whose .venv all nodes see. Ray is started
# for this job only, with a port and a token of its own, and ends with it. Before the time limit the study stops in order and the job
# is queued again, until the study is finished.
#SBATCH --job-name=rdun
#SBATCH --nodes=2                       # EDIT
#SBATCH --gpus-per-node=1               # EDIT
#SBATCH --time=08:00:00                 # EDIT
#SBATCH --cpus-per-task=8
#SBATCH --ntasks-per-node=1
#SBATCH --signal=B:TERM@180
#SBATCH --requeue
#SBATCH --open-mode=append
set -eu
cd "${SLURM_SUBMIT_DIR:-.}"
. .venv/bin/activate
nodes=$SLURM_JOB_NUM_NODES
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
on_first=(srun --overlap --nodes=1 --ntasks=1 --nodelist="$first")
address=$("${on_first[@]}" hostname --ip-address | awk '{print $1}')
port=$((20000 + SLURM_JOB_ID % 10000))
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
size=(--num-cpus="${SLURM_CPUS_PER_TASK:-1}" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --disable-usage-stats --block)
scratch=${SLURM_TMPDIR:-/tmp}/rdun-$SLURM_JOB_ID

parts=()
end() {
  trap '' TERM # Slurm sends it again when it ends this job to queue it anew
  trap - EXIT
  kill "${parts[@]}" 2> /dev/null || true
  wait
  srun --overlap --nodes="$nodes" --ntasks="$nodes" rm -rf "$scratch" || true
}
trap end EXIT

# up N: returns when Ray runs on N nodes
up() {
  python - "$address:$port" "$1" <<'WAIT'
import sys, time, ray
address, nodes, end = sys.argv[1], int(sys.argv[2]), time.monotonic() + 300
while time.monotonic() < end:
    try:
        ray.init(address=address, log_to_driver=False, logging_level="CRITICAL")
        if sum(node["Alive"] for node in ray.nodes()) >= nodes:
            sys.exit()
        ray.shutdown()
    except (ConnectionError, RuntimeError, ray.exceptions.RayError):
        pass
    time.sleep(2)
sys.exit(f"Ray does not run on {nodes} of the nodes after 300 s; its log lies beside the job's")
WAIT
}

"${on_first[@]}" ray start --head --node-ip-address="$address" --port="$port" --temp-dir="$scratch" --include-dashboard=false \
  "${size[@]}" > "rdun-ray-$SLURM_JOB_ID.log" 2>&1 &
parts+=($!)
up 1
if [ "$nodes" -gt 1 ]; then
  srun --overlap --nodes=$((nodes - 1)) --ntasks=$((nodes - 1)) --exclude="$first" ray start --address="$address:$port" \
    "${size[@]}" >> "rdun-ray-$SLURM_JOB_ID.log" 2>&1 &
  parts+=($!)
fi
up "$nodes"

RAY_ADDRESS=$address:$port python studies/run_ablation.py "$@" &
study=$!
stopped=
trap 'stopped=yes; kill -TERM $study' TERM
code=0
wait $study || code=$?
if [ -n "$stopped" ]; then # the trap ended the first wait
  code=0
  wait $study || code=$?
  if [ "$code" -eq 130 ]; then
    end
    scontrol requeue "$SLURM_JOB_ID"
  fi
fi
exit $code
