#!/bin/bash
# Builds the programs, pam_otp.so and the benchmark in release, installs what it needs by package name, and runs it.
# Needs root. Arguments go to the benchmark: tests/bench/run.sh --help
set -eu
cd "$(dirname "$0")/../.."

if [ "$(id -u)" != 0 ]; then
    echo "tests/bench/run.sh: needs root: sudo $0 $*" >&2
    exit 2
fi
packages=(gcc libc6-dev libpam0g-dev libpam-google-authenticator libpam-oath libnss-db util-linux)
installed=$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed || true)
if [ "$installed" != "${#packages[@]}" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
fi
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:/usr/local/cargo/bin:$PATH"
command -v cargo >/dev/null || { echo "tests/bench/run.sh: the Rust toolchain is missing: https://rustup.rs" >&2; exit 1; }

if [[ " $* " = *forward-auth* ]] && [ -z "${OTPD_TESTS_NGINX-}" ]; then
    target="${CARGO_TARGET_DIR:-$PWD/target}"
    mkdir -p "$target"
    . tests/unpack.sh
    unpack nginx
    export OTPD_TESTS_NGINX="$target/nginx/usr/sbin/nginx"
fi

cargo build --quiet --release --locked -p otpd -p otpd-mail -p otpd-login -p otpd-web -p pam_otp
exec cargo run --quiet --release --locked -p otpd-bench -- "$@"
