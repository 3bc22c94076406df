#!/bin/sh
# Runs one fuzzer: run_fuzzer.sh PROGRAM SECONDS. What it finds stays in build/fuzz/findings, what
# it learns in build/fuzz/corpus. Those that read models, which have seeds of make_seeds.py, are
# held to limits beside HeapBound's: 16 MB for one allocation (a reader may hold 8 MB for an input
# of 64 kB, libFuzzer's own tables are larger), 512 MB for the process with libFuzzer's corpus, and
# 10 s for an input.
set -eu

program=$1 seconds=$2
name=$(basename "$program")
build=build/fuzz
tree=$(dirname "$0")
mkdir -p "$build/corpus/$name" "$build/findings"

set -- "$build/corpus/$name"
for seeds in "$tree/corpus/$name" "$build/seeds/$name"; do
  if [ -d "$seeds" ]; then set -- "$@" "$seeds"; fi
done
if [ -f "$build/seeds/$name.dict" ]; then
  set -- -dict="$build/seeds/$name.dict" -max_len=65536 -timeout=10 -malloc_limit_mb=16 \
    -rss_limit_mb=512 "$@"
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=16  # freed memory is not the reader's
  export ASAN_OPTIONS
fi
echo "$program"
exec "$program" -max_total_time="$seconds" -print_final_stats=1 \
  -artifact_prefix="$build/findings/$name-" "$@"
