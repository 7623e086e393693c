# A virtual environment of Python's own, for tools that are wheels (sourced after lib.sh and debian.sh, needs $work).
# shellcheck shell=bash

# python_venv DIRECTORY REQUIREMENTS: makes it, with the wheels that this file beside the script pins. It may be moved
# afterwards; run its programs by DIRECTORY/bin/python, as their first lines name the old place.
python_venv() {
  python_empty_venv "$1"
  python_install "$2"
}

# python_empty_venv DIRECTORY: makes it, and sets $pip, by which python_install puts wheels into it.
python_empty_venv() {
  local directory=$1
  pip=("$directory/bin/python" -m pip)
  if ! python3 -m venv "$directory" >"$work/log" 2>&1; then
    # Debian's python3 has no ensurepip until python3-venv is installed; pip's own wheel does as well.
    rm -rf "$directory"
    python3 -m venv --without-pip "$directory" || die "python3 cannot make a virtual environment: install python3-venv"
    # shellcheck source=/dev/null
    . /etc/os-release
    debian_unpack "${VERSION_CODENAME:-stable}" "$work/debian" "python3-pip-whl>=23"
    local wheel
    wheel=$(find "$work/debian" -name 'pip-*.whl' | head -n 1)
    pip=("$directory/bin/python" "$wheel/pip")
  fi
}

# python_install REQUIREMENTS: the wheels that this file beside the script pins, by version and hash; another version of
# one that is there takes its place.
python_install() {
  local requirements=$root/tests/tools/$1
  # No source packages: what builds them would not be pinned.
  "${pip[@]}" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement "$requirements" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "the wheels of $requirements could not be installed: check the network, or name the binary yourself (see make help)"
  }
}

# pinned REQUIREMENTS PACKAGE: the version that this file pins.
pinned() { sed -nE "s/^$2==([^ ;]+).*/\1/p" "$root/tests/tools/$1"; }
