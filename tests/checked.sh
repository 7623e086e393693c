#!/usr/bin/env bash
# The compiler of this workspace's crates in `make test`: clippy, which compiles as it lints, and rustdoc for the
# libraries, with what they need compiled once. `cargo clippy` and `cargo doc` would each compile it again, three minutes
# of one core. As RUSTC_WORKSPACE_WRAPPER it is given the compiler and its arguments. Warnings are errors.
set -euo pipefail

clippy-driver "$@" --deny warnings

# Cargo also asks it what it can do, of no crate.
case " ${CARGO_CRATE_NAME:+$*} " in
  *' --test '*) exit 0 ;;
  *' --crate-type lib '* | *' --crate-type rlib '*) ;;
  *) exit 0 ;;
esac
shift
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --emit=*) ;;
    --out-dir)
      shift
      arguments+=(--out-dir "$1/../doc")
      ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
exec rustdoc "${arguments[@]}" --deny warnings
