#!/usr/bin/env bash
# Brings BIND's named, a DNS server of the tests, into .tools/bin: this Debian's package with its libraries. BIND= names
# another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given BIND && exit 0
lock
installed named bind-debian && exit 0
say "fetching BIND"
scratch
# shellcheck source=/dev/null
. /etc/os-release
debian_unpack_whole "${VERSION_CODENAME:-stable}" "$work/debian" "bind9>=1:9.18"
with_libraries named
"$work/out/named" -v >/dev/null 2>"$work/log" ||
  die "Debian's named does not run here: name another one with BIND=/path/to/named ($(head -n 1 "$work/log"))"
install_dir bind-debian named
