#!/bin/bash
# Proves what the README promises of a Debian that never saw this project: 12, or the suite named. Needs root; installs
# what it needs by name.
#
#   tests/tree/run.sh quickstart [SUITE]   packaging/quickstart.sh --check: no compiler, no sshd, no toolchain at first
#   tests/tree/run.sh unit [SUITE]         the installation, line by line, under a booted systemd; then logins by SSH
set -u
cd "$(dirname "$0")/../.." || exit 1

fail() { echo "tests/tree/run.sh: $*" >&2; exit 1; }
case "${1-}" in quickstart | unit) ;; *) fail "usage: tests/tree/run.sh quickstart|unit [SUITE]" ;; esac
suite=${2:-bookworm}
[ "$(id -u)" = 0 ] || fail "needs root: sudo $0 $*"

packages=(debootstrap debian-archive-keyring systemd-container util-linux oathtool)
installed=$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed)
if [ "$installed" != "${#packages[@]}" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null || exit 1
fi
command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:/usr/local/cargo/bin:$PATH"
command -v cargo >/dev/null || fail "the Rust toolchain is missing: https://rustup.rs"

# shellcheck source=tests/tree/tree.sh
target="${CARGO_TARGET_DIR:-$PWD/target}"
. tests/tree/tree.sh
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
        [ -z "$tree_leader" ] || tree_in journalctl --no-pager --boot --unit otpd --unit ssh
        exit 1
    fi
}

# --- the tree ----------------------------------------------------------------

# Alice may use sudo, and has a checkout in her home: this one, as it lies here.
settle_alice() {
    tree_open "$suite" && tree_install sudo "$@" &&
        tree_run sh -ec '
            useradd --create-home --shell /bin/bash alice
            echo "alice:xyzzy" | chpasswd
            echo "alice ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/alice' || return
    local home="$tree/home/alice"
    mkdir "$home/otpd" && tar --exclude=./.git --exclude=./target --exclude-caches-all -c . | tar -C "$home/otpd" -x &&
        chown -R --reference="$home" "$home/otpd"
}

# --- quickstart --------------------------------------------------------------

# As the README says; then nothing of it may be left, no service started, and nothing of root's in her checkout.
quickstart() {
    # shellcheck disable=SC2016 # for the shell in the tree
    tree_run sh -c '
        runuser -u alice -- sh -c "cd ~/otpd && sudo ./packaging/quickstart.sh --check"
        status=$?
        left=$(find /var/tmp /run /tmp -name "*otpd*"; find /home/alice/otpd ! -user alice
            find /usr/sbin -name policy-rc.d
            grep -lx "otpd\|sshd" /proc/[0-9]*/comm)
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
    sed -n 's/^\(Installing\|Logging\|  \|All\)/    &/p' "$log"
}

# --- unit --------------------------------------------------------------------

# The commands and files of one step of the README's installation.
readme_step() { sed -n "/^### $1\. /,/^##* [^#]*$/{s/^    //p}" README.md; }

alice() { tree_in runuser --login alice --command "set -exo pipefail; cd otpd; $1"; }

# Step 1, with the network of the host. What cargo would build is brought along; apt's question is answered.
install_by_hand() {
    local home="$tree/home/alice/otpd"
    cargo build --quiet --release --locked -p otpd -p otpctl -p pam_otp &&
        install -D -t "$home/target/release" "$target/release/"{otpd,otpctl,libpam_otp.so} &&
        echo 'APT::Get::Assume-Yes "true";' >"$tree/etc/apt/apt.conf.d/yes" &&
        tree_run runuser --login alice --command "set -exo pipefail; cd otpd; $(readme_step 1 | grep -v '^cargo build')"
}

start_the_daemon() {
    local said
    said=$(alice "$(readme_step 2)" 2>&1)
    local status=$?
    echo "$said"
    [ "$status" = 0 ] && ! grep -qw fail <<<"$said"
}

unit_verifies() {
    local said
    said=$(tree_in systemd-analyze verify /etc/systemd/system/otpd.service 2>&1) && [ -z "$said" ] && return
    echo "$said"
    return 1
}

property() { tree_in systemctl show --property "$1" --value otpd; }
# expect WANTED COMMAND...: its output is that.
expect() {
    local wanted=$1 got
    shift
    got=$("$@" 2>&1)
    [ "$got" = "$wanted" ] || { echo "$*: $got, not $wanted"; return 1; }
}
eventually() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    "$@"
}

# systemctl waits for the daemon's word, so all is there when it returns.
ready_as_otpd() {
    expect notify property Type && expect active property ActiveState &&
        expect otpd tree_in stat -c %U "/proc/$(property MainPID)" &&
        expect '/run/otpd/account.sock
/run/otpd/login.sock' tree_in find /run/otpd -type s -name '*.sock' &&
        tree_in otpctl status
}

declare -A key
code() { oathtool --totp --base32 --now="@$(($(date +%s) + ${2:-0}))" "${key[$1]}"; }
bind_device() {
    local who=$1 begun
    shift
    # The previous code proves the device, so the present one is still good for a login; both within this step.
    while (($(date +%s) % 30 > 20)); do sleep 1; done
    begun=$(tree_in "$@" otpctl bind "$who" --name phone --begin --json) || return
    key[$who]=$(sed -n 's/.*"key":[[:space:]]*"\([A-Z2-7]*\)".*/\1/p' <<<"$begun")
    tree_in "$@" otpctl confirm "$who" phone "$(code "$who" -30)"
}

set_up_pam() {
    local lines
    lines=$(readme_step 4)
    sed -i -e "/^@include common-auth/a $(grep '^auth.*pam_otp' <<<"$lines")" \
        -e "/^@include common-account/i $(grep '^account.*pam_otp' <<<"$lines")" "$tree/etc/pam.d/sshd"
    [ "$(grep -c pam_otp.so "$tree/etc/pam.d/sshd")" = 2 ]
}

set_up_sshd() {
    readme_step 5 | sed -n '/^UsePAM/,/^#AuthenticationMethods/p' >"$tree/etc/ssh/sshd_config.d/10-otpd.conf"
    alice "$(readme_step 5 | grep '^sudo')"
}

# login WANTED USER CODE: by SSH with the password, then the code.
login() {
    # shellcheck disable=SC2016 # for the shell in the tree
    expect "$1" tree_in SSH_ASKPASS=/usr/local/bin/typist SSH_ASKPASS_REQUIRE=force CODE="$3" sh -c '
        ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 \
            "$1@127.0.0.1" "echo accepted" 2>/dev/null || echo refused' sh "$2"
}
bring_typist() {
    cat >"$tree/usr/local/bin/typist" <<'END'
#!/bin/sh
case "$1" in *assword*) echo xyzzy ;; *) echo "$CODE" ;; esac
END
    chmod 755 "$tree/usr/local/bin/typist"
}

accepted_once() {
    used=$(code alice)
    login accepted alice "$used" && login refused alice "$used" && login refused alice "$(code bob)"
}

reload() {
    local pid
    pid=$(property MainPID)
    tree_in systemctl reload otpd &&
        eventually tree_in sh -c 'journalctl --unit otpd | grep "configuration reloaded"' && expect "$pid" property MainPID
}

restart() {
    local pid
    pid=$(property MainPID)
    tree_in systemctl restart otpd && ready_as_otpd && ! expect "$pid" property MainPID &&
        login refused alice "$used" && login accepted alice "$(code alice 30)"
}

stop() {
    tree_in systemctl stop otpd && expect inactive property ActiveState && expect success property Result &&
        expect 0 property ExecMainStatus && login refused bob "$(code bob)" &&
        tree_in systemctl start otpd && ready_as_otpd && login accepted bob "$(code bob)"
}

killed() {
    tree_in kill -KILL "$(property MainPID)" && eventually expect 1 property NRestarts &&
        eventually expect active property ActiveState && ready_as_otpd
}

# otpd is ready before sshd listens, and knows its accounts.
boot_again() {
    tree_halt
    tree_boot && ready_as_otpd &&
        expect ssh.service tree_in sh -c 'systemctl show --property Before otpd | grep -ow ssh.service' &&
        expect 1 tree_in sh -c 'a=$(systemctl show --property ActiveEnterTimestampMonotonic --value otpd)
            b=$(systemctl show --property ExecMainStartTimestampMonotonic --value ssh); echo $((a < b))' &&
        login accepted bob "$(code bob 30)"
}

test_unit() {
    step "a $suite with systemd and sshd" settle_alice systemd-sysv dbus libpam-systemd openssh-server man-db
    step "bob" tree_run sh -ec 'useradd --create-home bob; echo bob:xyzzy | chpasswd'
    step "README, step 1: installed by hand" install_by_hand
    step "boots" tree_boot
    step "README, step 2: the unit starts, doctor has no fail" start_the_daemon
    step "systemd-analyze verify has nothing to say" unit_verifies
    step "ready: sockets there, user otpd, status for root" ready_as_otpd
    step "README, step 3: Alice binds for herself" bind_device alice runuser -u alice --
    step "README, step 3: root binds for bob" bind_device bob env
    step "README, step 4: the two lines for sshd" set_up_pam
    step "README, step 5: sshd" set_up_sshd
    bring_typist
    step "a login with password and code, once" accepted_once
    step "systemctl reload" reload
    step "systemctl restart: the used code stays used, the next one is good" restart
    step "systemctl stop: nobody gets in; start: bob does" stop
    step "killed: it comes back" killed
    step "at the next boot it is there before sshd" boot_again
    step "shuts down" tree_halt
    echo "All as it should be."
}

"test_$1"; exit
