# Shared by the scripts beside this one, each of which brings one tool into .tools/ (sourced, not run).
#
# A tool is there when .tools/bin has a link to it. Everything is made in a scratch directory first and moved into place
# when it is whole, so an interrupted download never counts as done. No script needs root.
# shellcheck shell=bash

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$root/.tools

say() { printf '%s\n' "$*" >&2; }

# Ends with one sentence: what is missing and what to do.
die() {
  say "error: $*"
  exit 1
}

# need COMMAND WHAT-TO-DO
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"; }

# given VARIABLE: succeeds when the user has named a binary by this variable, and checks it.
given() {
  local path=${!1:-}
  [ -n "$path" ] || return 1
  [ -x "$path" ] || die "$1=$path is not an executable file"
}

# One script at a time: two runs of make never unpack over each other.
lock() {
  mkdir -p "$tools/bin"
  exec 9>"$tools/.lock"
  flock 9
}

# A directory that is gone when the script ends, on the file system of .tools, so that a move out of it is atomic.
scratch() {
  work=$(mktemp -d --tmpdir="$tools")
  trap 'rm -rf "$work"' EXIT
}

# installed NAME VERSION: whether .tools/bin/NAME is there, at this version.
installed() { [ -x "$tools/bin/$1" ] && [ "$(readlink "$tools/bin/$1")" = "../$2/$1" ]; }

# install_dir VERSION NAME...: moves $work/out to .tools/VERSION and links each NAME in it.
install_dir() {
  local version=$1 name
  shift
  rm -rf "${tools:?}/$version"
  mv "$work/out" "$tools/$version"
  for name in "$@"; do
    ln -sfn "../$version/$name" "$tools/bin/.$name.new"
    mv -T "$tools/bin/.$name.new" "$tools/bin/$name"
  done
}

# cargo_tool CRATE VERSION BINARY DIRECTORY [ARGUMENT...]: builds a Rust tool into .tools/DIRECTORY/bin, by cargo with
# these arguments besides, with the dependencies that the crate's own lockfile pins by checksum. Only where the registry has not got one of these versions (a mirror may lag, and
# versions are withdrawn) others are taken, and that is said. The registry's index has a checksum of every crate.
cargo_tool() {
  local crate=$1 version=$2 binary=$3 directory=$4
  shift 4
  need cargo "install Rust 1.95 or newer with rustup"
  say "building $crate $version"
  scratch
  local install=(cargo install --quiet "$crate" --version "$version" --bin "$binary" --root "$work/out"
    --target-dir "$work/target" --profile dev --config profile.dev.debug=false "$@")
  if ! "${install[@]}" --locked >"$work/log" 2>&1; then
    if grep -q 'failed to select a version for the requirement' "$work/log"; then
      say "the registry lacks a version that the lockfile of $crate names; it is built with others:"
      head -n 2 "$work/log" >&2
      "${install[@]}" >"$work/log" 2>&1 || unbuilt "$crate" "$version" "$binary"
    else
      unbuilt "$crate" "$version" "$binary"
    fi
  fi
  mv "$work/out/bin" "$work/bin" && rm -rf "$work/out" && mv "$work/bin" "$work/out"
  install_dir "$directory" "$binary"
}

# unbuilt CRATE VERSION BINARY: says why a Rust tool could not be built, and ends.
unbuilt() {
  tail -n 20 "$work/log" >&2
  die "$1 $2 could not be built: check the network, or put $3 $2 into .tools/bin yourself"
}
