# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# The installation by hand, as the README has it. Sourced by run.sh.

# With the network of the host. What cargo would build is brought along; apt's question is answered.
install_by_hand() {
    local home="$tree/home/alice/otpd"
    local programs=(otpd otpd-mail otpd-login otpd-web otpctl otpd-try libpam_otp.so libpam_otp_witness.so)
    sh -c "$(readme 'Without packages' | grep 'cargo build')" &&
        install -D -t "$home/target/release" "${programs[@]/#/$target/release/}" &&
        echo 'APT::Get::Assume-Yes "true";' >"$tree/etc/apt/apt.conf.d/yes" &&
        tree_run runuser --login alice --command \
            "set -exo pipefail; cd otpd; $(readme 'Without packages' | grep -v 'cargo build\|systemd/\|systemctl\|doctor')"
}

start_the_daemon() {
    local said status
    said=$(alice "$(readme 'Without packages' | grep 'systemd/\|systemctl\|doctor')" 2>&1)
    status=$?
    echo "$said"
    [ "$status" = 0 ] && ! grep -qw fail <<<"$said"
}

# shellcheck disable=SC2016 # for the shell in the tree
run_as_themselves() {
    local daemon
    for daemon in otpd otpd-mail otpd-web; do
        expect "$daemon /usr/local/sbin/$daemon" tree_in sh -c 'pid=$(pidof "$1"); echo "$(stat -c %U "/proc/$pid")" "$(readlink "/proc/$pid/exe")"' sh "$daemon" || return
    done
}

guard_sshd() {
    local lines
    lines=$(readme 5)
    sed -i -e "/^@include common-auth/a $(grep '^auth.*pam_otp' <<<"$lines")" \
        -e "/^@include common-account/i $(grep '^account.*pam_otp' <<<"$lines")" "$tree/etc/pam.d/sshd" &&
        printf 'KbdInteractiveAuthentication yes\nPasswordAuthentication no\n' >"$tree/etc/ssh/sshd_config.d/10-otpd.conf" &&
        tree_in systemctl reload ssh
}

test_hand() {
    step "a $suite with systemd and sshd" settle_alice systemd-sysv dbus libpam-systemd openssh-server man-db
    step "installed by hand" install_by_hand
    step "boots" tree_boot
    bring_typist
    step "the units start, doctor has no fail" start_the_daemon
    step "README, step 4 and 5: sshd, PAM" guard_sshd
    step "a login with password and code, once" guards_logins
    # Not earlier: where mail works, a first device needs a secure email.
    step "README, step 2: mail" mail_by_smtp
    step "they run as themselves, from /usr/local" run_as_themselves
    step "shuts down" tree_halt
}
