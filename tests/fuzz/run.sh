#!/usr/bin/env bash
# run.sh SECONDS [NAME]: fuzzes each target, or those with NAME in theirs, for so long. What is learnt goes to
# target/fuzz; an input that breaks something is printed and kept in tests/fuzz/artifacts until it is a seed.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=$1 only=${2:-}
# An input that takes longer than a second would hold up Envoy's thread; the rest is for a machine that is busy.
longest=10
memory=2048
target=${CARGO_TARGET_DIR:-target}/fuzz

for path in tests/fuzz/targets/*"$only"*.rs; do
  name=$(basename "$path" .rs)
  mkdir -p "$target/corpus/$name"
  echo "fuzzing $name for $seconds s"
  RUSTUP_TOOLCHAIN=nightly .tools/bin/cargo-fuzz run --fuzz-dir tests/fuzz --features libfuzzer --target-dir "$target" \
    "$name" "$target/corpus/$name" "tests/fuzz/seeds/$name" -- \
    -max_total_time="$seconds" -timeout="$longest" -rss_limit_mb="$memory" -print_final_stats=1 -verbosity=0
done
