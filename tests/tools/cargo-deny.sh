#!/usr/bin/env bash
# Brings cargo-deny, which checks licences, bans and sources, into .tools/bin.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

version=0.20.2

lock
installed cargo-deny "cargo-deny-$version" && exit 0
cargo_tool cargo-deny "$version" cargo-deny "cargo-deny-$version"
