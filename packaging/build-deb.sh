#!/bin/bash
# Builds the Debian packages of this checkout into target/deb. Needs debhelper, libpam0g-dev, gcc and Rust 1.89 or newer;
# fetches the crates of Cargo.lock, and builds without the network from there.
#
#   packaging/build-deb.sh             libpam-otpd and otpd
#   packaging/build-deb.sh --source    a source package too, with the crates in it
#   packaging/build-deb.sh --built DIR the programs that "cargo build --release" has put into DIR; compiles nothing
#
# DEB_BUILD_OPTIONS is nocheck unless it is set: "DEB_BUILD_OPTIONS= packaging/build-deb.sh" runs the tests first.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "build-deb.sh: $*" >&2; exit 1; }
kind=--build=binary profiles=()
case "$#:${1-}" in
    0:) ;;
    1:--source) kind=--build=full ;;
    2:--built)
        OTPD_BUILT=$(cd "$2" && pwd) || fail "there is no directory $2"
        export OTPD_BUILT
        profiles=(pkg.otpd.built)
        ;;
    *) fail "usage: packaging/build-deb.sh [--source | --built DIR]" ;;
esac

missing=()
for package in debhelper dpkg-dev gcc libc6-dev libpam0g-dev; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package:$(dpkg --print-architecture)" 2>/dev/null ||
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} = 0 ] || fail "install first: apt install ${missing[*]}"
# shellcheck source=packaging/source.sh
. packaging/source.sh
find_cargo

version=$(dpkg-parsechangelog --file packaging/debian/changelog --show-field Version)
out="${CARGO_TARGET_DIR:-$PWD/target}/deb"
build="$out/otpd-$version"

make_source "$build"
cp -rL packaging/debian "$build/debian"
# Rust may come from elsewhere than Debian.
dpkg-checkbuilddeps -B "$build/debian/control" 2>/dev/null || profiles+=(pkg.otpd.rustup)
export CARGO_TARGET_DIR="$out/target" DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck}"
find "$out" -maxdepth 1 -type f -delete
(
    IFS=,
    cd "$build" && dpkg-buildpackage "$kind" --no-sign ${profiles:+--build-profiles="${profiles[*]}"}
)
rm -rf "$build"
ls -1 "$out"/*.deb
