#!/usr/bin/env bash
# Brings the source of Rust's standard library, which is built for size with the plugin.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need cargo "install Rust 1.95 or newer with rustup"
sysroot=$(cd "$root" && rustc --print sysroot)
[ -d "$sysroot/lib/rustlib/src/rust/library/std" ] && exit 0
need rustup "this Rust has no source of its standard library; install Rust with rustup, which can add it"
say "adding the source of Rust's standard library"
(cd "$root" && rustup --quiet component add rust-src) || die "rustup could not add rust-src: check the network"
