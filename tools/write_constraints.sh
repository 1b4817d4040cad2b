#!/bin/sh
# Resolve every dependency for every supported Python and write constraints.txt.
set -eu
cd "$(dirname "$0")/.."
{
  echo "# The versions that continuous integration ran, for every supported Python; \`make constraints\`."
  echo "# torch stands without a local version, so that pip takes a CPU build where one is served; what"
  echo "# its CUDA builds bring along is theirs to pin."
  uv pip compile --no-config pyproject.toml --quiet --all-extras --universal --python-version 3.10 \
    --constraint constraints.txt --no-annotate --no-header --no-emit-package argo-ml |
    grep -v -E '^(cuda-|triton=|nvidia-[^=]*(cu13|cublas|cuda|cu|nv[jst]))'
} > constraints.txt.new
mv constraints.txt.new constraints.txt
