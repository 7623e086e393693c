# Packages of Debian, unpacked without root (sourced after lib.sh, needs $work).
#
# apt itself does the work, with lists and a cache of its own under $work: it takes the proxy and the mirror from the
# machine's configuration and checks the archive's signature and every checksum with Debian's keyring.
# shellcheck shell=bash

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_unpack SUITE DIRECTORY PACKAGE...
debian_unpack() {
  local suite=$1 directory=$2
  shift 2
  need apt-get "the packages $* come from Debian; on another system name the binaries yourself (see make help)"
  need dpkg-deb "install Debian's package dpkg"
  [ -r "$keyring" ] || die "$keyring is missing: install Debian's package debian-archive-keyring"
  local mirror
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "apt's sources name no Debian mirror, so $* cannot be fetched; name the binaries yourself (see make help)"

  local apt=${work:?}/apt-$suite
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$directory"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$suite" >"$apt/sources.list"
  # An archive snapshot may be past its date; its signature is checked all the same.
  local options=(
    -qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$apt/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$apt/cache"
    -o APT::Sandbox::User= -o Debug::NoLocking=true -o Acquire::Languages=none
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o Acquire::Check-Valid-Until=false -o Acquire::Retries=2
  )
  (cd "$apt" && apt-get "${options[@]}" update && apt-get "${options[@]}" download "$@") >"$apt/log" 2>&1 || {
    cat "$apt/log" >&2
    die "Debian's packages $* of $suite could not be fetched from $mirror: check the network, or name the binaries yourself (see make help)"
  }
  local package
  for package in "$apt"/*.deb; do dpkg-deb -x "$package" "$directory"; done
}

# The first mirror of Debian's main archive in apt's sources, whether or not `apt-get update` ever ran.
debian_mirror() {
  # shellcheck disable=SC2016 # apt expands it
  apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 2>/dev/null |
    grep -v security | head -n 1
}

# with_libraries NAME: makes $work/out/NAME run with the libraries that came with it, all from $work/debian.
with_libraries() {
  mkdir -p "$work/out"
  mv "$work/debian/usr/bin/$1" "$work/out/$1.bin"
  find "$work/debian" -name '*.so*' -exec mv -t "$work/out" {} +
  cat >"$work/out/$1" <<END
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
LD_LIBRARY_PATH=\$here exec "\$here/$1.bin" "\$@"
END
  chmod +x "$work/out/$1"
}
