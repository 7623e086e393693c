#!/usr/bin/env bash
# Brings lego, whose files the tests import, into .tools/bin: Debian forky's package. LEGO= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

given LEGO && exit 0
lock
installed lego lego-forky && exit 0
say "fetching lego"
scratch
debian_unpack forky "$work/debian" "lego>=4.20"
mkdir "$work/out"
mv "$work/debian/usr/bin/lego" "$work/out/"
"$work/out/lego" --version >/dev/null 2>"$work/log" || die "Debian forky's lego does not run here: $(head -n 1 "$work/log")"
install_dir lego-forky lego
