#!/bin/sh
# Run a command, that of the tests, with their folders in memory where there is room for them: a
# commit of SQLite takes 10 ms on a disk and 0.05 ms in memory. Their folders go when they end:
# `make test PYTEST_ARGS=--basetemp=FOLDER` keeps them in FOLDER.
set -eu
memory=${TEST_MEMORY:-/dev/shm}
needed_gib=${TEST_MEMORY_GIB:-6}

# What may be filled, in KiB: in that folder, in this machine, below the limit of a container.
free_kib() {
  df -Pk "$memory" | awk 'NR == 2 { print $4 }'
  awk '/^MemAvailable:/ { print $2 }' /proc/meminfo
  free_of_group /sys/fs/cgroup memory.max
  free_of_group /sys/fs/cgroup/memory memory.limit_in_bytes
}

free_of_group() {
  limit=$(cat "$1/$2") && [ "$limit" != max ] || return 0
  awk -v limit="$limit" '/^(anon|rss|shmem) / { used += $2 }
    END { printf "%.0f\n", (limit - used) / 1024 }' "$1/memory.stat"
}

has_room() {
  [ -d "$memory" ] && [ -w "$memory" ] &&
    [ "$(free_kib 2>/dev/null | sort -n | head -n 1)" -ge $((needed_gib * 1024 * 1024)) ]
}

remove() {
  chmod -R u+rwX "$1" && rm -rf "$1"
}

remove_remains() {
  for folder in "$memory"/argo-ml-tests-*/; do
    if [ -O "$folder" ] && flock --nonblock "$folder" true; then remove "$folder"; fi
  done
}

if [ -n "${PYTEST_DEBUG_TEMPROOT:-}" ] || ! has_room; then exec "$@"; fi
if command -v flock >/dev/null; then remove_remains; fi
PYTEST_DEBUG_TEMPROOT=$(mktemp -d "$memory/argo-ml-tests-XXXXXX")
export PYTEST_DEBUG_TEMPROOT
trap 'remove "$PYTEST_DEBUG_TEMPROOT"' EXIT
trap 'exit 130' INT HUP TERM
# Held by this shell and the command, so that others know a folder in use from what a kill left.
exec 9<"$PYTEST_DEBUG_TEMPROOT"
if command -v flock >/dev/null; then flock 9; fi
"$@"
