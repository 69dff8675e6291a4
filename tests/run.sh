#!/bin/bash
# Runs the tests: the fast tier, or with --all the slow ones too (at most what exists of them).
# Needs root (mount namespaces, sshd, sudo, su, login); installs what it needs by package name.
# Nothing is skipped: a missing tool is a failure. Ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1

tier=fast
case "${1-}" in
    '') ;;
    --all) tier=all ;;
    *) echo "usage: tests/run.sh [--all]" >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "tests/run.sh: needs root: sudo $0 $*. Without root, cargo test runs what needs none." >&2
    exit 2
fi

# --- what it needs -----------------------------------------------------------

packages=(
    gcc g++ libc6-dev libpam0g-dev openssh-server openssh-client sudo login util-linux pamtester oathtool zbar-tools strace
    tmux python3 python3-venv iproute2 man-db mandoc procps binutils shellcheck systemd dpkg-dev faketime
    valgrind
    opendoas pkexec polkitd dbus cockpit-ws cockpit-bridge proftpd-core proftpd-mod-crypto
    dovecot-core dovecot-imapd
    chromium nodejs curl openssl fonts-noto-cjk
    libdb5.3 libgnutls-dane0 libidn12 libnsl2 # for exim4, see below
)
# Some packages of nodejs bring it along.
command -v npm >/dev/null || packages+=(npm)
# What is installed here to be tested serves nobody, neither now nor after the next start of the machine.
services=(cockpit.socket proftpd.service dovecot.service dovecot.socket)
export DEBIAN_FRONTEND=noninteractive
if ! dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" >/tmp/otpd-packages.$$ 2>&1 ||
    grep -qv '^installed$' /tmp/otpd-packages.$$; then
    new=()
    for service in "${services[@]}"; do
        [ -e "/lib/systemd/system/$service" ] || new+=("$service")
    done
    apt-get -qq update >/dev/null
    # Masked while they are installed, so that nothing starts them.
    [ ${#new[@]} = 0 ] || systemctl -q mask "${new[@]}" 2>/dev/null
    apt-get -qq install -y --no-install-recommends "${packages[@]}" >/tmp/otpd-packages.$$ 2>&1
    installed=$?
    [ ${#new[@]} = 0 ] || systemctl -q unmask "${new[@]}" 2>/dev/null
    [ ${#new[@]} = 0 ] || systemctl -q disable "${new[@]}" 2>/dev/null
    [ $installed = 0 ] || {
        cat /tmp/otpd-packages.$$
        rm -f /tmp/otpd-packages.$$
        exit 1
    }
fi
rm -f /tmp/otpd-packages.$$
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:/usr/local/cargo/bin:$PATH"
command -v cargo >/dev/null || { echo "tests/run.sh: the Rust toolchain is missing: https://rustup.rs" >&2; exit 1; }

target="${CARGO_TARGET_DIR:-$PWD/target}"
mkdir -p "$target"
export OTPD_TESTS_PYTHON="$target/python/bin/python3"
if ! "$OTPD_TESTS_PYTHON" -c 'import aiosmtpd, asyncssh, schemathesis, varlink' 2>/dev/null; then
    /usr/bin/python3 -m venv "$target/python" && "$target/python/bin/pip" -q install 'aiosmtpd==1.4.*' 'asyncssh==2.*' 'schemathesis==4.*' 'varlink==31.*' || exit 1
fi

# Drives Chromium, and looks at what it shows.
export OTPD_TESTS_NODE="$target/browser/node_modules"
if [ ! -d "$OTPD_TESTS_NODE/axe-core" ] || [ ! -d "$OTPD_TESTS_NODE/playwright-core" ]; then
    mkdir -p "$target/browser" &&
        npm install --silent --no-audit --no-fund --no-save --prefix "$target/browser" 'playwright-core@1' 'axe-core@4' || exit 1
fi

# unpack PACKAGE: what it holds, below $target/PACKAGE, without installing or configuring it.
unpack() {
    local download status fresh="$target/$1.new"
    [ ! -d "$target/$1" ] || return 0
    rm -rf "$fresh"
    download=$(mktemp -d)
    (cd "$download" && apt-get -qq update >/dev/null && apt-get -qq -o APT::Sandbox::User=root download "$1") &&
        dpkg-deb -x "$download/$1"_*.deb "$fresh" && chmod -R ug-s "$fresh" && mv "$fresh" "$target/$1"
    status=$?
    rm -rf "$download"
    return $status
}

# vsftpd and proftpd conflict as packages; its program needs no more than to be unpacked.
export OTPD_TESTS_VSFTPD="$target/vsftpd/usr/sbin/vsftpd"
unpack vsftpd || exit 1
# Installing a mail server would make it that of this machine.
export OTPD_TESTS_EXIM="$target/exim4-daemon-light/usr/sbin/exim4"
unpack exim4-daemon-light || exit 1
# A screen locker, set-uid root as a package; unpacked, it runs as its user, as most do.
export OTPD_TESTS_VLOCK="$target/vlock/usr/sbin/vlock-main"
unpack vlock || exit 1
# Neither do these serve anybody but the tests.
export OTPD_TESTS_NGINX="$target/nginx/usr/sbin/nginx"
unpack nginx || exit 1
export OTPD_TESTS_CADDY="$target/caddy/usr/bin/caddy"
unpack caddy || exit 1

# --- running -----------------------------------------------------------------

passed=0 failed=0 failures=()
out=$(mktemp) release=''
trap 'rm -f "$out"; [ -z "$release" ] || kill "$release" $(pgrep -P "$release") 2>/dev/null' EXIT

# check NAME COMMAND...: one test of its own.
check() {
    local name=$1
    shift
    if "$@" >"$out" 2>&1; then
        passed=$((passed + 1))
        echo "check $name ... ok"
    else
        failed=$((failed + 1))
        failures+=("$name")
        echo "check $name ... FAILED"
        cat "$out"
    fi
}

# suite NAME COMMAND...: a test runner; its own summary lines are counted.
suite() {
    local name=$1 status more
    shift
    echo "--- $name"
    "$@" 2>&1 | tee "$out"
    status=${PIPESTATUS[0]}
    more=$(grep -c '^test result:' "$out")
    passed=$((passed + $(sed -n 's/^test result:.* \([0-9]*\) passed.*/\1/p' "$out" | paste -sd+ | bc_or_zero)))
    failed=$((failed + $(sed -n 's/^test result:.* \([0-9]*\) failed.*/\1/p' "$out" | paste -sd+ | bc_or_zero)))
    if [ "$status" != 0 ] || [ "$more" = 0 ]; then
        # A runner that died, or did not build, counts even if no test of it did.
        grep -q '^test result: FAILED' "$out" || failed=$((failed + 1))
        failures+=("$name")
    fi
}
bc_or_zero() { local sum; read -r sum; echo $((${sum:-0})); }

# The module must stay small and the daemon must stay off the network; the crates say so.
forbidden() {
    local package=$1 found
    shift
    found=$(cargo tree --locked -e normal -p "$package" --prefix none | cut -d' ' -f1 | sort -u | grep -xE "$(printf '%s|' "$@")-") || return 0
    echo "$package must not depend on: $found"
    return 1
}
module_fits() {
    cargo build --quiet --release --locked -p pam_otp || return 1
    local size
    size=$(stat -c %s "$target/release/libpam_otp.so")
    echo "pam_otp.so: $size bytes"
    [ "$size" -le $((384 * 1024)) ]
}

# systemd counts in tenths. What runs PAM is root, and has to be able to change a password.
shut_in() {
    local unit most
    for unit in packaging/systemd/*.service; do
        most=15
        [ "$unit" != packaging/systemd/otpd-session@.service ] || most=17
        systemd-analyze security --offline=true --threshold=$most "$unit" || return 1
    done
}
one_version() {
    local version
    version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
    [ -n "$version" ] && [ "$(dpkg-parsechangelog --file packaging/debian/changelog --show-field Version)" = "$version" ] &&
        grep -qx "Version: *$version" packaging/rpm/otpd.spec && grep -q "^## $version" packaging/CHANGELOG.md
}

check "format" cargo fmt --all --check
check "clippy" cargo clippy --quiet --locked --workspace --all-targets --features otpd-tests/root -- -D warnings
check "shell scripts" shellcheck -S warning tests/run.sh packaging/*.sh packaging/init/* packaging/debian/*.{postinst,prerm,postrm} tests/bench/run.sh tests/tree/*.sh tests/selinux/run.sh .ci/run
check "pam_otp has no runtime, TLS, SQLite, HTTP" forbidden pam_otp tokio async-std rustls openssl native-tls rusqlite libsqlite3-sys hyper lettre regex
check "otpd has no network" forbidden otpd tokio async-std rustls openssl native-tls hyper lettre
check "otpd-login has no network and no registry" forbidden otpd-login tokio async-std rustls openssl native-tls hyper lettre rusqlite libsqlite3-sys
check "otpd-web has no registry" forbidden otpd-web rusqlite libsqlite3-sys openssl native-tls
check "pam_otp.so is at most 384 KiB" module_fits
check "the units are shut in: at most 1.5, a login on the web 1.7" shut_in
check "packages have the version of the workspace" one_version

# The suites wait more than they compute: meanwhile, what the quickstart builds. If it fails, the quickstart says why.
# Beside it what the installation on a bare Debian needs: the rest of the programs, and that Debian.
{
    nice -n 19 cargo build --quiet --release --locked -p otpd -p otpd-mail -p otpd-login -p otpd-web -p otpctl -p pam_otp -p otpd-try
    nice -n 19 tests/tree/run.sh bare
} >/dev/null 2>&1 &
release=$!

suite "workspace" cargo test --quiet --locked --workspace --features otpd-tests/root --no-fail-fast
wait "$release"
release=''
# What the quickstart made must be gone with it.
quickstart() {
    packaging/quickstart.sh --check || return 1
    ! pgrep -af otpd-quickstart && ! ls -d /var/tmp/otpd-quickstart.* /run/otpd-quickstart.* 2>/dev/null
}
check "quickstart.sh --check" quickstart
check "installed on a bare Debian 12, switched on, removed: SSH works at every step" tests/tree/run.sh install

# Fuzzing needs a compiler that knows sanitizers: a nightly one, or the stable one told to pass for one.
fuzzing=(env RUSTC_BOOTSTRAP=1)
if rustup toolchain list 2>/dev/null | grep -q '^nightly'; then fuzzing=(env RUSTUP_TOOLCHAIN=nightly); fi
fuzz_builds() {
    if ! cargo fuzz --version >/dev/null 2>&1; then
        CARGO_TARGET_DIR="$target/cargo-fuzz" cargo install --quiet --locked cargo-fuzz || return 1
    fi
    "${fuzzing[@]}" cargo fuzz build --fuzz-dir tests/fuzz --target-dir "$target/fuzz"
}
# fuzz TARGET: ten seconds, from the inputs in the repository. What it finds beyond them stays in the target directory.
# What a daemon remembers from one input to the next is no leak, and looking for leaks after each would take all the time.
fuzz() {
    local found="$target/fuzz-found/$1"
    mkdir -p "$found"
    "${fuzzing[@]}" cargo fuzz run --fuzz-dir tests/fuzz --target-dir "$target/fuzz" "$1" "$found" "tests/fuzz/seeds/$1" \
        -- -max_total_time=10 -timeout=10 -detect_leaks=0 -artifact_prefix="$found-"
}

# Licences, sources and what must not be linked in: .deny.toml. (Advisories are not asked for: they change by themselves.)
deny() {
    local deny="$target/cargo-deny/bin/cargo-deny"
    if [ ! -x "$deny" ]; then
        CARGO_TARGET_DIR="$target/cargo-deny" cargo install --quiet --locked --root "$target/cargo-deny" cargo-deny || return 1
    fi
    "$deny" --locked --config .deny.toml check licenses bans sources
}

if [ "$tier" = all ]; then
    check "cargo deny: licences, bans, sources" deny
    check "the SELinux module: who may ask otpd" tests/selinux/run.sh
    check "the fuzz targets build" fuzz_builds
    for source in tests/fuzz/targets/*.rs; do
        name=$(basename "$source" .rs)
        check "fuzz $name" fuzz "$name"
    done
    check "every right code once, beside the peers" tests/bench/run.sh --quick
    check "2,000 logins at once" tests/bench/run.sh --what storm --accounts 3000
    check "every right code on a slow disk" tests/bench/run.sh --what slow-disk --quick --accounts 3000
    check "every right code, whatever the mail server does" tests/bench/run.sh --what mail --quick --accounts 3000
    check "every right code, however many accounts" tests/bench/run.sh --what growth --quick --accounts 10000 --events 100000
    check "quickstart on a bare Debian 12" tests/tree/run.sh quickstart
    check "the Debian packages under a real systemd" tests/tree/run.sh deb
    check "the Debian packages on Debian 13" tests/tree/run.sh deb trixie
    check "the Debian packages under sysvinit" tests/tree/run.sh init
    check "the RPM packages under a real systemd" tests/tree/run.sh rpm
    check "installed by hand under a real systemd" tests/tree/run.sh hand
fi

for name in "${failures[@]}"; do echo "FAILED: $name"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
