#!/usr/bin/env bash
# Brings Pebble and pebble-challtestsrv into .tools/bin: Debian forky's package, 2.10 with ARI and profiles.
# PEBBLE= and CHALLTESTSRV= name other ones.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

if given PEBBLE; then
  given CHALLTESTSRV && exit 0
  beside=$(dirname "$PEBBLE")/pebble-challtestsrv
  [ -x "$beside" ] || die "no pebble-challtestsrv beside PEBBLE=$PEBBLE: name it with CHALLTESTSRV=/path/to/pebble-challtestsrv"
  exit 0
fi
lock
installed pebble pebble-forky && installed pebble-challtestsrv pebble-forky && exit 0
say "fetching Pebble"
scratch
debian_unpack forky "$work/debian" "pebble>=2.10"
mkdir "$work/out"
mv "$work/debian/usr/bin/pebble" "$work/debian/usr/bin/pebble-challtestsrv" "$work/out/"
"$work/out/pebble" -version >/dev/null 2>"$work/log" || die "Debian forky's pebble does not run here: $(head -n 1 "$work/log")"
install_dir pebble-forky pebble pebble-challtestsrv
