#!/usr/bin/env bash
# Brings Caddy, whose files the tests import, into .tools/bin: Debian forky's package. CADDY= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given CADDY && exit 0
lock
installed caddy caddy-forky && exit 0
say "fetching Caddy"
scratch
debian_unpack forky "$work/debian" "caddy>=2.6"
mkdir "$work/out"
mv "$work/debian/usr/bin/caddy" "$work/out/"
"$work/out/caddy" --version >/dev/null 2>"$work/log" || die "Debian forky's caddy does not run here: $(head -n 1 "$work/log")"
install_dir caddy-forky caddy
