#!/usr/bin/env bash
# Brings certbot, whose files the tests import, into .tools/bin: the Python wheel certbot, which
# certbot.txt pins with all that it needs. CERTBOT= names another one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"
# shellcheck source=python.sh
. "$(dirname "$0")/python.sh"

version=$(pinned certbot.txt certbot)

given CERTBOT && exit 0
lock
installed certbot "certbot-$version" && exit 0
need python3 "install Python 3, or name a certbot $version with CERTBOT=/path/to/certbot"
say "fetching certbot $version"
scratch
mkdir "$work/out"
python_venv "$work/out/venv" certbot.txt
cat >"$work/out/certbot" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/venv/bin/python" -c 'import sys; from certbot.main import main; sys.exit(main())' "$@"
END
chmod +x "$work/out/certbot"
"$work/out/certbot" --version >/dev/null 2>"$work/log" || die "the certbot of the wheel does not run here: $(tail -n 1 "$work/log")"
install_dir "certbot-$version" certbot
