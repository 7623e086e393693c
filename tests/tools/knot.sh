#!/usr/bin/env bash
# Brings Knot DNS' knotd, a DNS server of the tests, into .tools/bin: this Debian's package with its libraries. KNOT=
# names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given KNOT && exit 0
lock
installed knotd knot-debian && exit 0
say "fetching Knot DNS"
scratch
# shellcheck source=/dev/null
. /etc/os-release
debian_unpack_whole "${VERSION_CODENAME:-stable}" "$work/debian" "knot>=3.2"
with_libraries knotd
"$work/out/knotd" --version >/dev/null 2>"$work/log" ||
  die "Debian's knotd does not run here: name another one with KNOT=/path/to/knotd ($(head -n 1 "$work/log"))"
install_dir knot-debian knotd
