#!/usr/bin/env bash
# Tests on all GPUs of one machine, or, without GPUs, in that many processes.
#
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
set -euo pipefail
if [ $# -lt 3 ]; then
  sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
config=$1
checkpoint=$2
gpus=$3
shift 3
DIST_SCRIPT=test.py exec bash "$here/dist_train.sh" \
  "$config" "$gpus" "$checkpoint" "$@"
