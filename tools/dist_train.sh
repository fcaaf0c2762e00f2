#!/usr/bin/env bash
# Trains on all GPUs of one machine, or, without GPUs, in that many processes.
#
#   bash tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT on each.
set -euo pipefail
if [ $# -lt 2 ]; then
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
# dist_test.sh sets DIST_SCRIPT.
config=$1
gpus=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
rendezvous=(--standalone)
if [ "${NNODES:-1}" -gt 1 ]; then
  rendezvous=(
    --nnodes "$NNODES" --node_rank "${NODE_RANK:-0}"
    --master_addr "${MASTER_ADDR:?the first machine\'s address}"
    --master_port "${MASTER_PORT:-29500}"
  )
fi
# torchrun sets 1 thread a process when nothing is said, and says so at length.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# torchrun itself, less its traceback after Ctrl-C, which would bury the command
# that resumes.
torchrun='
import sys
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.run import main
try:
    main()
except SignalException:
    sys.exit(130)
'
exec python -c "$torchrun" "${rendezvous[@]}" --nproc_per_node "$gpus" \
  "$here/${DIST_SCRIPT:-train.py}" "$config" --launcher pytorch "$@"
