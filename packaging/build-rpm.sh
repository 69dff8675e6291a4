#!/bin/bash
# Builds the RPM packages of this checkout into target/rpm. Needs rpmbuild, gcc, the headers of PAM and Rust 1.89 or
# newer; fetches the crates of Cargo.lock, and builds without the network from there.
#
#   packaging/build-rpm.sh             otpd and pam_otp; with the headers of an SELinux policy, otpd-selinux
#   packaging/build-rpm.sh --source    a source package too, with the crates in it
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "build-rpm.sh: $*" >&2; exit 1; }
kind=-bb
case "${1-}" in
    '') ;;
    --source) kind=-ba ;;
    *) fail "usage: packaging/build-rpm.sh [--source]" ;;
esac
command -v rpmbuild >/dev/null || fail "rpmbuild is missing; install rpm-build (Fedora, Enterprise Linux) or rpm (Debian)"
[ -e /usr/include/security/pam_modules.h ] || fail "the headers of PAM are missing; install pam-devel (Debian: libpam0g-dev)"
# shellcheck source=packaging/source.sh
. packaging/source.sh
find_cargo

version=$(rpmspec -q --srpm --qf '%{version}' packaging/rpm/otpd.spec 2>/dev/null)
out="${CARGO_TARGET_DIR:-$PWD/target}/rpm"
rm -rf "$out/rpms" "$out/source"
make_source "$out/source/otpd-$version"
mkdir -p "$out/rpms"
tar -C "$out/source" -czf "$out/source/otpd-$version.tar.gz" "otpd-$version"

# Directories that systemd's macros name, where there are none.
defines=()
define() { [ "$(rpm --eval "%{?$1}")" ] || defines+=(--define "$1 $2"); }
define _unitdir /usr/lib/systemd/system
define _sysusersdir /usr/lib/sysusers.d
define _tmpfilesdir /usr/lib/tmpfiles.d

with=()
[ -e /usr/share/selinux/devel/Makefile ] || {
    echo "build-rpm.sh: no otpd-selinux: install selinux-policy-devel (Debian: selinux-policy-dev, checkpolicy, semodule-utils)" >&2
    with=(--without selinux)
}

# Where packages are not RPMs, or Rust comes from elsewhere, rpmbuild knows of neither: it was looked for above.
CARGO_TARGET_DIR="$out/target" rpmbuild "$kind" "${with[@]}" --nodeps --quiet --define "_topdir $out/build" \
    --define "_sourcedir $out/source" --define "_rpmdir $out/rpms" --define "_srcrpmdir $out/rpms" "${defines[@]}" packaging/rpm/otpd.spec
rm -rf "$out/source" "$out/build"
find "$out/rpms" -name '*.rpm'
