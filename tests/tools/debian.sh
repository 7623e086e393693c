# Packages of Debian, unpacked without root (sourced after lib.sh, needs $work).
#
# apt itself does the work, with lists and a cache of its own under $work: it takes the proxy and the mirror from the
# machine's configuration, and Debian's keyring vouches for the archive's signature, by which it checks every package.
# Versions move on with the archive, so no hash is pinned; but a package is written with the least version that is taken
# (pebble>=2.10), so that nobody plays an old archive back.
# shellcheck shell=bash

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_unpack SUITE DIRECTORY PACKAGE...
debian_unpack() {
  local suite=$1 directory=$2
  shift 2
  debian_update "$suite" "${@%%>=*}"
  debian_download "$directory" "$@"
}

# debian_unpack_whole SUITE DIRECTORY PACKAGE...: with the libraries that these need, and those that these need. Not
# with C's and C++'s: they belong to the machine's own loader, and every Debian has them.
debian_unpack_whole() {
  local suite=$1 directory=$2
  shift 2
  debian_update "$suite" "${@%%>=*}"
  local all=("$@") latest=("${@%%>=*}")
  while [ ${#latest[@]} -gt 0 ]; do
    mapfile -t latest < <(apt-cache "${apt_options[@]}" depends --important "${latest[@]}" | sed -nE 's/^ .*epends: //p' |
      grep -E '^lib|-libs$' | grep -Ev '^lib(c6|crypt1|gcc-s1|stdc\+\+6|elogind0)$' | sort -u |
      grep -vxF -f <(printf '%s\n' "${all[@]%%>=*}") || true)
    all+=("${latest[@]}")
  done
  debian_download "$directory" "${all[@]}"
}

# debian_update SUITE PACKAGE...: reads the suite's lists; sets $apt, the directory of this, and $apt_options.
debian_update() {
  local suite=$1
  shift
  need apt-get "the packages $* come from Debian; on another system name the binaries yourself (see make help)"
  need dpkg-deb "install Debian's package dpkg"
  [ -r "$keyring" ] || die "$keyring is missing: install Debian's package debian-archive-keyring"
  local mirror
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "apt's sources name no Debian mirror, so $* cannot be fetched; name the binaries yourself (see make help)"

  apt=${work:?}/apt-$suite
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$apt/sources.list"
  apt_options=(
    -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$apt/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$apt/cache"
    -o APT::Sandbox::User= -o Debug::NoLocking=true -o Acquire::Languages=none
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::Retries=2
  )
  local strictly=(-o Acquire::Check-Date=true -o Acquire::Check-Valid-Until=true)
  if (cd "$apt" && LC_ALL=C apt-get "${apt_options[@]}" "${strictly[@]}" update) >"$apt/log" 2>&1; then
    return
  fi
  if grep -q 'is expired' "$apt/log"; then
    say "the mirror's copy of Debian $suite is past its date: what is checked are its signature and the least versions"
    apt_options+=(-o Acquire::Check-Valid-Until=false)
  fi
  debian_try update
}

# debian_download DIRECTORY PACKAGE...: unpacks them there, each PACKAGE or PACKAGE>=VERSION.
debian_download() {
  local directory=$1 package
  shift
  mkdir -p "$directory"
  debian_try download "${@%%>=*}"
  for package in "$@"; do
    case $package in *'>='*) debian_at_least "${package%%>=*}" "${package##*>=}" ;; esac
  done
  for package in "$apt"/*.deb; do dpkg-deb -x "$package" "$directory"; done
}

# debian_at_least PACKAGE VERSION: what was downloaded is not older.
debian_at_least() {
  local file found
  for file in "$apt/$1"_*.deb; do
    found=$(dpkg-deb --field "$file" Version)
    dpkg --compare-versions "$found" ge "$2" || die "Debian's mirror has $1 $found, expected $2 or newer: name another mirror"
    say "$1 $found"
  done
}

# debian_try COMMAND...: of apt-get.
debian_try() {
  (cd "$apt" && apt-get "${apt_options[@]}" "$@") >"$apt/log" 2>&1 || {
    cat "$apt/log" >&2
    die "Debian's packages could not be fetched (apt-get $*): check the network, or name the binaries yourself (see make help)"
  }
}

# The first mirror of Debian's main archive in apt's sources, whether or not `apt-get update` ever ran.
debian_mirror() {
  # shellcheck disable=SC2016 # apt expands it
  apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep -v security | head -n 1
}

# with_libraries NAME [ARGUMENT...]: makes $work/out/NAME run with the libraries that came with it, all from
# $work/debian, and with these arguments before its others; $here in them is where it is.
with_libraries() {
  local name=$1
  shift
  mkdir -p "$work/out"
  find "$work/debian/usr/bin" "$work/debian/usr/sbin" -name "$name" -type f -exec mv {} "$work/out/$name.bin" \; 2>/dev/null || true
  find "$work/debian" -name '*.so*' -exec mv -t "$work/out" {} +
  cat >"$work/out/$name" <<END
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
LD_LIBRARY_PATH=\$here exec "\$here/$name.bin"${*:+$(printf ' "%s"' "$@")} "\$@"
END
  chmod +x "$work/out/$name"
}
