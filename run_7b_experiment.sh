#!/usr/bin/env bash
# The original project's command: run_7b_experiment.sh [small|medium|full] [gpus] [difficulty]
# A thin wrapper over the entry point `main`; further -P name=value go to it, the last of a name.
# What is missing is named first, by `argo-ml doctor`.
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

names=(model dataset mode gpus difficulty)
values=(qwen2.5-7b oran_bench "${positional[0]:-small}" "${positional[1]:-0,1}" "${positional[2]:-hard}")
others=()

# set_parameter NAME VALUE: of a name that is given twice the last value counts.
set_parameter() {
  local index
  for index in "${!names[@]}"; do
    if [[ "${names[index]}" == "$1" ]]; then
      values[index]="$2"
      return
    fi
  done
  names+=("$1")
  values+=("$2")
}

while [[ $# -gt 0 ]]; do
  case "$1" in
    -P | --param-list) parameter="${2:-}"; shift ;;
    -P*) parameter="${1#-P}" ;;
    --param-list=*) parameter="${1#*=}" ;;
    *) others+=("$1"); parameter="" ;;
  esac
  if [[ -n "$parameter" ]]; then
    if [[ "$parameter" != *=* ]]; then
      echo "error: -P $parameter is not name=value; $usage" >&2
      exit 2
    fi
    set_parameter "${parameter%%=*}" "${parameter#*=}"
  fi
  [[ $# -eq 0 ]] || shift
done

project="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# The environment of `make small` and `make env`, where there is no other.
command -v mlflow > /dev/null || PATH="$project/.venv/bin:$PATH"
if ! command -v mlflow > /dev/null; then
  echo "error: mlflow is not on the PATH; run make env, or activate your environment" >&2
  exit 2
fi

passed=()
checked=()
for index in "${!names[@]}"; do
  passed+=(-P "${names[index]}=${values[index]}")
  checked+=("--${names[index]}" "${values[index]}")
done
# With another environment manager the package may be in an environment of its own.
if command -v argo-ml > /dev/null; then
  argo-ml doctor --only_inputs true "${checked[@]}"
fi
exec mlflow run "$project" \
  --env-manager "${ARGO_ML_ENV_MANAGER:-local}" \
  "${passed[@]}" \
  ${others[@]+"${others[@]}"}
