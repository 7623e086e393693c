#!/usr/bin/env bash
# Brings wasm-opt, which makes the plugin a sixth smaller, into .tools/bin: this Debian's package binaryen.
# WASM_OPT= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given WASM_OPT && exit 0
lock
installed wasm-opt binaryen-debian && exit 0
say "fetching wasm-opt"
scratch
# shellcheck source=/dev/null
. /etc/os-release
debian_unpack "${VERSION_CODENAME:-stable}" "$work/debian" "binaryen>=108"
with_libraries wasm-opt
"$work/out/wasm-opt" --version >/dev/null 2>"$work/log" ||
  die "Debian's wasm-opt does not run here: name another one with WASM_OPT=/path/to/wasm-opt ($(head -n 1 "$work/log"))"
install_dir binaryen-debian wasm-opt
