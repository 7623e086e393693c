#!/usr/bin/env bash
# Brings PostgreSQL, which the ACME server acmeeh keeps its data in, into .tools: this Debian's package with its libraries.
# What .tools/bin has is `postgresql`, which runs one of its programs: `postgresql initdb …`.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

lock
installed postgresql postgresql-debian && exit 0
say "fetching PostgreSQL"
scratch
# shellcheck source=/dev/null
. /etc/os-release
suite=${VERSION_CODENAME:-stable}
# The packages' names have the version.
debian_update "$suite" postgresql
server=$(apt-cache "${apt_options[@]}" depends --important postgresql | sed -nE 's/^ .*Depends: (postgresql-[0-9]+)$/\1/p')
[ -n "$server" ] || die "Debian $suite has no package postgresql"
debian_unpack_whole "$suite" "$work/debian" "$server" "postgresql-client-${server#postgresql-}"
mkdir "$work/out"
# Its compiler for queries is not used, and is larger than all the rest.
find "$work/debian" \( -name 'libLLVM*' -o -name 'llvmjit*' -o -name bitcode -o -name doc -o -name man \) -prune -exec rm -rf {} +
mv "$work/debian/usr" "$work/out/usr"
if [ -d "$work/debian/lib" ]; then cp -a "$work/debian/lib/." "$work/out/usr/lib/"; fi
cat >"$work/out/postgresql" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
program=$1
shift
libraries=$(find "$here/usr/lib" -maxdepth 1 -name '*-linux-gnu*')
LD_LIBRARY_PATH=$libraries exec "$here"/usr/lib/postgresql/*/bin/"$program" "$@"
END
chmod +x "$work/out/postgresql"
"$work/out/postgresql" postgres --version >/dev/null 2>"$work/log" || die "Debian's PostgreSQL does not run here: $(head -n 1 "$work/log")"
install_dir postgresql-debian postgresql
