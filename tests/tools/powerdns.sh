#!/usr/bin/env bash
# Brings PowerDNS' pdns_server, a DNS server of the tests, into .tools/bin: this Debian's package with its LMDB backend
# and their libraries. POWERDNS= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given POWERDNS && exit 0
lock
installed pdns_server powerdns-debian && exit 0
say "fetching PowerDNS"
scratch
# shellcheck source=/dev/null
. /etc/os-release
debian_unpack_whole "${VERSION_CODENAME:-stable}" "$work/debian" "pdns-server>=4.7" "pdns-backend-lmdb>=4.7"
# The wrapper's shell expands it.
# shellcheck disable=SC2016
with_libraries pdns_server '--module-dir=$here'
"$work/out/pdns_server" --version >"$work/log" 2>&1 || true # it ends with 99
grep -q 'PowerDNS Authoritative Server' "$work/log" ||
  die "Debian's pdns_server does not run here: name another one with POWERDNS=/path/to/pdns_server ($(head -n 1 "$work/log"))"
install_dir powerdns-debian pdns_server
