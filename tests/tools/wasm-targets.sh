#!/usr/bin/env bash
# Brings Rust's standard library for the two wasm targets: wasm32-wasip1 (the plugin) and wasm32-unknown-unknown (the
# wasm tests and the purity check).
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need cargo "install Rust 1.95 or newer with rustup"
sysroot=$(cd "$root" && rustc --print sysroot)
for target in wasm32-wasip1 wasm32-unknown-unknown; do
  [ -d "$sysroot/lib/rustlib/$target/lib" ] && continue
  need rustup "this Rust has no standard library for $target; install Rust with rustup, which can add it"
  say "adding the Rust target $target"
  (cd "$root" && rustup --quiet target add "$target") || die "rustup could not add the target $target: check the network"
done
