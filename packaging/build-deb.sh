#!/bin/bash
# Builds the Debian packages of this checkout into target/deb. Needs debhelper, libpam0g-dev, gcc and Rust 1.89 or newer;
# fetches the crates of Cargo.lock, and builds without the network from there.
#
#   packaging/build-deb.sh             libpam-otpd and otpd
#   packaging/build-deb.sh --source    a source package too, with the crates in it
#
# DEB_BUILD_OPTIONS is nocheck unless it is set: "DEB_BUILD_OPTIONS= packaging/build-deb.sh" runs the tests first.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "build-deb.sh: $*" >&2; exit 1; }
kind=--build=binary
case "${1-}" in
    '') ;;
    --source) kind=--build=full ;;
    *) fail "usage: packaging/build-deb.sh [--source]" ;;
esac

missing=()
for package in debhelper dpkg-dev gcc libc6-dev libpam0g-dev; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package:$(dpkg --print-architecture)" 2>/dev/null ||
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} = 0 ] || fail "install first: apt install ${missing[*]}"
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:/usr/local/cargo/bin:$PATH"
command -v cargo >/dev/null || fail "the Rust toolchain is missing: https://rustup.rs (or your distribution, version 1.89 or newer)"

version=$(dpkg-parsechangelog --file packaging/debian/changelog --show-field Version)
out="${CARGO_TARGET_DIR:-$PWD/target}/deb"
build="$out/otpd-$version"

# --- the source, as Debian has it ---------------------------------------------

rm -rf "$build"
mkdir -p "$build"
tar --exclude=./.git --exclude=./target --exclude-caches-all -c . | tar -C "$build" -x
cp -rL packaging/debian "$build/debian"

# Crates for other systems are needed by name only, and nothing prebuilt may be in a source.
prune() {
    local crate
    for crate in "$1"/{winapi,windows}*; do
        find "$crate" -mindepth 1 ! -name Cargo.toml ! -name .cargo-checksum.json -delete
        mkdir "$crate/src"
        touch "$crate/src/lib.rs"
    done
    find "$1" -regex '.*\.\(a\|lib\|dll\|exe\|pdb\|so\|o\|wasm\|jar\)' -delete
    # Without the sums of single files; that of the whole crate stays, and cargo compares it with Cargo.lock.
    sed -i 's/"files":{[^}]*}/"files":{}/' "$1"/*/.cargo-checksum.json
}
if [ ! -d "$build/vendor" ]; then
    cargo vendor --quiet --locked --versioned-dirs "$build/vendor" >/dev/null
    prune "$build/vendor"
fi

# --- the packages ------------------------------------------------------------

# debhelper gives its builds a HOME of their own, where rustup would find no toolchain.
profile=()
dpkg-checkbuilddeps -B "$build/debian/control" 2>/dev/null || profile=(--build-profiles=pkg.otpd.rustup)
PATH="$(rustc --print sysroot)/bin:$PATH"
export CARGO_TARGET_DIR="$out/target" DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck}"
find "$out" -maxdepth 1 -type f -delete
(cd "$build" && dpkg-buildpackage "$kind" --no-sign "${profile[@]}")
rm -rf "$build"
ls -1 "$out"/*.deb
