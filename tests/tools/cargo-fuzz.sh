#!/usr/bin/env bash
# Brings cargo-fuzz, which runs the fuzz targets, into .tools/bin, and the nightly Rust that it needs.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

version=0.13.2

lock
need rustup "install Rust with rustup"
rustup run nightly rustc --version >/dev/null 2>&1 || {
  say "adding the nightly Rust toolchain"
  rustup toolchain install nightly --profile minimal >&2 || die "nightly Rust could not be installed: check the network"
}
installed cargo-fuzz "cargo-fuzz-$version" && exit 0
cargo_tool cargo-fuzz "$version" cargo-fuzz "cargo-fuzz-$version"
