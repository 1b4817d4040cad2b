#!/usr/bin/env bash
# The original project's command: run_7b_experiment.sh [small|medium|full] [gpus] [difficulty]
# A thin wrapper over the entry point `main`; further -P name=value go to it unchanged.
set -euo pipefail

usage="usage: $0 [small|medium|full] [gpus, as 0,1] [easy|medium|hard] [-P name=value ...]"
if [[ "${1:-}" == "-h" || "${1:-}" == "--help" ]]; then
  echo "$usage"
  exit 0
fi

positional=()
while [[ $# -gt 0 && "$1" != -* ]]; do
  positional+=("$1")
  shift
done
if [[ ${#positional[@]} -gt 3 ]]; then
  echo "error: ${positional[3]} is a fourth argument; $usage" >&2
  exit 2
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
# The environment of `make small` and `make env`, where there is no other.
command -v mlflow > /dev/null || PATH="$PWD/.venv/bin:$PATH"
if ! command -v mlflow > /dev/null; then
  echo "error: mlflow is not on the PATH; run make env, or activate your environment" >&2
  exit 2
fi
exec mlflow run . \
  --env-manager "${ARGO_ML_ENV_MANAGER:-local}" \
  --experiment-name argo_ml_7b \
  -P model=qwen2.5-7b \
  -P dataset=oran_bench \
  -P mode="${positional[0]:-small}" \
  -P gpus="${positional[1]:-0,1}" \
  -P difficulty="${positional[2]:-hard}" \
  "$@"
