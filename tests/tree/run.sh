#!/bin/bash
# Proves what the README promises of a Debian that never saw this project: 12, or the suite named. Needs root; installs
# what it needs by name.
#
#   tests/tree/run.sh quickstart [SUITE]   packaging/quickstart.sh --check: no compiler, no sshd, no toolchain at first
#   tests/tree/run.sh install [SUITE]      packages of what "cargo build --release" has built: installed, switched on for
#                                          sshd, removed, purged, with a login by SSH at every step
#   tests/tree/run.sh deb [SUITE]          the packages under a booted systemd: all of that, faults, upgrades
#   tests/tree/run.sh init [SUITE]         the packages on a box without systemd
#   tests/tree/run.sh rpm [SUITE]          the RPM packages, likewise
#   tests/tree/run.sh hand [SUITE]         the installation by hand, line by line, under a booted systemd; then logins
#   tests/tree/run.sh bare [SUITE]         nothing yet: makes the bare tree that all of these start from
set -u
cd "$(dirname "$0")/../.." || exit 1

fail() { echo "tests/tree/run.sh: $*" >&2; exit 1; }
case "${1-}" in
    quickstart | install | deb | init | rpm | hand | bare) ;;
    *) fail "usage: tests/tree/run.sh quickstart|install|deb|init|rpm|hand|bare [SUITE]" ;;
esac
# shellcheck disable=SC2034 # for what is sourced
suite=${2:-bookworm}
[ "$(id -u)" = 0 ] || fail "needs root: sudo $0 $*"

packages=(debootstrap debian-archive-keyring systemd-container util-linux oathtool debhelper dpkg-dev gcc libc6-dev libpam0g-dev)
case "$1" in
    deb | init) packages+=(lintian) ;;
    rpm) packages+=(strace rpm rpmlint selinux-policy-dev checkpolicy semodule-utils m4 make bzip2) ;;
esac
installed=$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed)
if [ "$installed" != "${#packages[@]}" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null || exit 1
fi
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:/usr/local/cargo/bin:$PATH"
command -v cargo >/dev/null || fail "the Rust toolchain is missing: https://rustup.rs"

# shellcheck disable=SC2034 # for what is sourced
target="${CARGO_TARGET_DIR:-$PWD/target}"
# shellcheck source=tests/tree/tree.sh
. tests/tree/tree.sh
# shellcheck source=tests/tree/logins.sh
. tests/tree/logins.sh
log=$(mktemp)
trap 'tree_close; rm -f "$log"' EXIT
trap 'exit 130' INT TERM HUP

# step NAME COMMAND...: says how it went, and ends everything with the output if it went wrong.
step() {
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        echo "  $name"
    else
        echo "  $name: FAILED"
        cat "$log"
        [ -z "$tree_leader" ] || tree_log
        exit 1
    fi
}

if [ "$1" = bare ]; then
    step "a bare $suite" tree_open "$suite"
    exit
fi
# shellcheck source=/dev/null
. "tests/tree/$1.sh"
"test_$1"
echo "All as it should be."
