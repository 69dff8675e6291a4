# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# The installation by hand, as the README has it. Sourced by run.sh.

# With the network of the host. What cargo would build is brought along; apt's question is answered.
install_by_hand() {
    local home="$tree/home/alice/otpd"
    cargo build --quiet --release --locked -p otpd -p otpctl -p pam_otp &&
        install -D -t "$home/target/release" "$target/release/"{otpd,otpctl,libpam_otp.so} &&
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

guard_sshd() {
    local lines
    lines=$(readme 4)
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
    step "runs as otpd, from /usr/local" expect /usr/local/sbin/otpd tree_in sh -c 'readlink /proc/$(pidof otpd)/exe'
    step "README, step 4 and 5: PAM, sshd" guard_sshd
    step "a login with password and code, once" guards_logins
    step "shuts down" tree_halt
}
