# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# packaging/quickstart.sh --check on a bare tree. Sourced by run.sh.

# As the README says; then nothing of it may be left, no service started, and nothing of root's in her checkout.
quickstart() {
    # shellcheck disable=SC2016 # for the shell in the tree
    tree_run sh -c '
        runuser -u alice -- sh -c "cd ~/otpd && sudo ./packaging/quickstart.sh --check"
        status=$?
        left=$(find /var/tmp /run /tmp -name "*otpd*"; find /home/alice/otpd ! -user alice
            find /usr/sbin -name policy-rc.d
            grep -lx "otpd\|otpd-mail\|otpd-login\|exe\|otpd-web\|perl\|sshd" /proc/[0-9]*/comm)
        [ -z "$left" ] || { echo "left behind: $left"; exit 3; }
        exit "$status"' 2>&1
}

said() { grep -q "$1" "$log"; }

no_toolchain() {
    local status=0
    quickstart || status=$?
    [ "$status" = 1 ] && said 'Rust toolchain is missing. Get it from https://rustup.rs' && ! said Installing
}

# The crates come from here, so that the tree needs no certificates to fetch them.
lend_toolchain() {
    local cargo="${CARGO_HOME:-$HOME/.cargo}" rustup="${RUSTUP_HOME:-$HOME/.rustup}" hers=/home/alice
    [ -x "$cargo/bin/rustup" ] || { echo "no rustup in $cargo"; return 1; }
    cargo fetch --quiet --locked || return
    mkdir "$tree$hers/.cargo" && chown --reference="$tree$hers" "$tree$hers/.cargo" || return
    tree_options+=("--bind-ro=$cargo/bin:$hers/.cargo/bin" "--bind-ro=$cargo/registry:$hers/.cargo/registry"
        "--bind-ro=$rustup:$hers/.rustup" --setenv=CARGO_NET_OFFLINE=true)
}

from_nothing_to_logins() {
    quickstart && said '^Installing:.*libpam0g-dev openssh-server' && said '^All as it should be\.$'
}

test_quickstart() {
    step "a bare $suite with sudo" settle_alice
    step "without a toolchain it says how to get one, and stops" no_toolchain
    step "Alice gets one" lend_toolchain
    step "it installs what is missing, builds, and logs in" from_nothing_to_logins
    sed -n 's/^\(Installing\|Logging\|Signing\|  \|All\)/    &/p' "$log"
}

