#!/usr/bin/env bash
# Brings wasm-bindgen-test-runner, which runs the wasm tests under Node, into .tools/bin. Its version must be the one of
# the wasm-bindgen in Cargo.lock.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need node "install Node 20 or newer, for the wasm tests"
version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/version = |"/, ""); print }' "$root/Cargo.lock")
[ -n "$version" ] || die "Cargo.lock names no wasm-bindgen"
lock
installed wasm-bindgen-test-runner "wasm-bindgen-$version" && exit 0
# Without TLS, by which it would reach browsers on other machines: a third of what there would be to compile.
cargo_tool wasm-bindgen-cli "$version" wasm-bindgen-test-runner "wasm-bindgen-$version" --no-default-features
