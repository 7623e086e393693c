#!/usr/bin/env bash
# Brings ACME servers that the product is run against into .tools/bin: the Python wheels serles-acme, django-ca,
# acme2certifier and acmeeh, each with all that it needs in a virtual environment of its own. What .tools/bin has is the
# interpreter of that: SERVER-python. Arguments choose among the servers.
#
# None of them issues for less than a day. So that a renewal is seen, one line of each installed copy is changed: the
# unit or the least of a lifetime, and nothing else. (serles signs with a module of the tests' own, by its configuration.)
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"
# shellcheck source=python.sh
. "$(dirname "$0")/python.sh"

# shorten SERVER: lets the copy in $work/out/venv issue for minutes.
shorten() {
  case $1 in
    serles-acme) ;;
    django-ca) change django_ca/conf.py 's/^(AcmeCertValidity = .*)Ge\(timedelta\(days=1\)\)/\1Ge(timedelta(minutes=1))/' ;;
    acme2certifier)
      change acme2certifier/cahandlers/openssl_ca_handler.py \
        's/^( +self.cert_validity_days = )int\((config_dic.*)\)$/\1float(\2)/'
      ;;
    acmeeh) change acmeeh/ca/internal.py 's/^( +not_after = now \+ timedelta\()days(=validity_days\))$/\1seconds\2/' ;;
  esac
}

# change FILE EXPRESSION: one line of an installed file, by sed.
change() {
  local file before
  file=$(find "$work/out/venv/lib" -path "*/site-packages/$1")
  [ -n "$file" ] || die "the wheel has no $1"
  before=$(mktemp --tmpdir="$work")
  cp "$file" "$before"
  sed -E -i "$2" "$file"
  [ "$(diff "$before" "$file" | grep -c '^>')" = 1 ] || die "$1 is another one than the line to change was written for"
  diff "$before" "$file" | sed -n "s|^[<>]|  $1 &|p" >&2 || true
}

lock
scratch
[ $# -gt 0 ] || set -- serles-acme django-ca acme2certifier acmeeh
for server in "$@"; do
  version=$(pinned "$server.txt" "$server")
  installed "$server-python" "$server-$version" && continue
  need python3 "install Python 3"
  say "fetching $server $version"
  rm -rf "$work/out"
  mkdir "$work/out"
  # acmeeh asks for Python 3.12, and works with the 3.11 of Debian bookworm.
  PIP_IGNORE_REQUIRES_PYTHON=1 python_venv "$work/out/venv" "$server.txt"
  shorten "$server"
  cat >"$work/out/$server-python" <<'END'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/venv/bin/python" "$@"
END
  chmod +x "$work/out/$server-python"
  install_dir "$server-$version" "$server-python"
done
