#!/usr/bin/env bash
# The pure crates know no host: no clock, no I/O, no randomness of their own. That they call none of std's is for clippy
# (disallowed-methods and disallowed-types in their clippy.toml); here it is checked that none of their dependencies
# brings any, and that they compile where there is no host at all: with these arguments to cargo. So are the arrows of the
# architecture: which crate may depend on which.
set -euo pipefail
cd "$(dirname "$0")/.."

pure=(--package acme --package config --package engine --package protocol --package yaml)
impure='^(async-std|chrono|futures-timer|getrandom|hyper|jiff|js-sys|libc|mio|proxy-wasm|rand|reqwest|rustix|smol|socket2|tokio|tokio-.*|ureq|wasi|wasm-bindgen|web-sys|web-time|windows-sys) '

found=$(cargo tree --locked "${pure[@]}" --edges normal --target wasm32-unknown-unknown --prefix none --no-dedupe |
  sort -u | grep -E "$impure" || true)
if [ -n "$found" ]; then
  printf 'A pure crate depends on what has a host:\n%s\nFind out by which way: cargo tree --edges normal --invert NAME\n' "$found" >&2
  exit 1
fi
# Without std the library of dates has no clock: it only reads and writes them.
clocked=$(cargo tree --locked "${pure[@]}" --edges normal --target wasm32-unknown-unknown --prefix none --no-dedupe \
  --format '{p} {f}' | grep -E '^time v.*(std|local-offset|wasm-bindgen)' || true)
if [ -n "$clocked" ]; then
  printf 'A pure crate depends on a library of dates with a clock:\n%s\n' "$clocked" >&2
  exit 1
fi
crates='acme base config dns-api dns01 engine envoy-autocert pki plugin protocol sds setup storage yaml'
for crate in $crates; do
  case $crate in
    acme | base | dns-api | protocol) allowed='' ;;
    # For its escaping of foreign text alone.
    yaml) allowed='acme' ;;
    config) allowed='acme protocol' ;;
    engine) allowed='acme config protocol' ;;
    plugin) allowed='acme config engine protocol' ;;
    setup) allowed='acme config protocol yaml' ;;
    pki) allowed='acme base protocol' ;;
    sds) allowed='acme base pki protocol' ;;
    storage) allowed='acme base config engine pki protocol yaml' ;;
    # Foreign code by the hundred thousand lines: it reaches nothing that holds keys.
    dns01) allowed='acme base config dns-api protocol' ;;
    envoy-autocert) allowed='acme base config dns-api dns01 engine pki protocol sds setup storage yaml' ;;
  esac
  needed=$(cargo tree --locked --package "$crate" --edges normal --prefix none | cut -d ' ' -f 1)
  for ours in $crates tests; do
    [ "$ours" = "$crate" ] && continue
    case " $allowed " in *" $ours "*) continue ;; esac
    if grep -qx "$ours" <<<"$needed"; then
      echo "The arrows of the architecture: $crate must not depend on $ours." >&2
      exit 1
    fi
  done
done

# With the plugin, whose calls of its host are compiled for wasm alone: clippy sees these nowhere else.
cargo clippy --quiet "$@" "${pure[@]}" --package plugin --lib --target wasm32-unknown-unknown -- --deny warnings
echo "pure: acme, config, engine, protocol, yaml"
