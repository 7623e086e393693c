#!/usr/bin/env bash
# Brings wrk, the HTTP load generator of `make bench`, into .tools/bin: this Debian's own package with its library.
# WRK= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given WRK && exit 0
lock
installed wrk wrk-debian && exit 0
say "fetching wrk"
scratch
# shellcheck source=/dev/null
. /etc/os-release
debian_unpack "${VERSION_CODENAME:-stable}" "$work/debian" "wrk>=4.1" libluajit-5.1-2 libluajit-5.1-common
with_libraries wrk
case $("$work/out/wrk" -v 2>&1) in wrk*) ;; *) die "Debian's wrk does not run here: name another one with WRK=/path/to/wrk" ;;
esac
install_dir wrk-debian wrk
