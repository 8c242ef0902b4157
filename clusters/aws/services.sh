#!/bin/bash
# services.sh head|worker: what runs on a machine of cluster.yaml beside Ray. Whatever runs already is left alone.
#
# head:   the tracker (MLflow over SQLite, artifacts in the bucket), and the end of a head that nobody uses for an hour.
# worker: the end of a machine that lost its Ray for ten minutes, with or without a head that could end it.
#
# SQLite: the tracker has one writer, the server, on the same machine; there is nothing to install, and the database can be made
# again from the trial directories (run_ablation.py NAME --sync).
set -u

# once NAME COMMAND...: starts it in the background, unless it runs
once() {
  local name=$1
  shift
  setsid nohup flock --nonblock --conflict-exit-code 0 "$HOME/.$name.lock" "$@" > "$HOME/$name.log" 2>&1 < /dev/null &
}

# end_when_idle MINUTES PATTERN: ends the machine after so many minutes without a process whose command line matches
end_when_idle() {
  local left=$1
  while [ "$left" -gt 0 ]; do
    sleep "${MINUTE:-60}"
    if pgrep -f "$2" > /dev/null; then left=$1; else left=$((left - 1)); fi
  done
  sudo shutdown -h now
}

case ${1:-} in
  head)
    export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true
    once mlflow mlflow server --workers 1 --host 127.0.0.1 --port 5000 --backend-store-uri "sqlite:///$HOME/mlflow.db" \
      --artifacts-destination "s3://$RDUN_BUCKET/mlflow"
    # a run, a Ray job, a worker that is being set up, somebody who is logged in
    once idle "$0" idle "${IDLE_MINUTES:-60}" '[r]un_ablation|[r]ay::JobSupervisor|[s]shd: .*@|[s]sh .*ConnectTimeout'
    ;;
  worker) once idle "$0" idle "${IDLE_MINUTES:-10}" '[r]aylet/raylet|[r]ay start|[p]ip install' ;;
  idle) end_when_idle "$2" "$3" ;;
  *) echo "services.sh: name head or worker" >&2; exit 2 ;;
esac
