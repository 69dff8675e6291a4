# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# The shortest whole life of the packages under a booted systemd: installed, switched on for sshd, removed, purged, and SSH
# works at every step. The programs are what "cargo build --release" has built; deb.sh is the long one. Sourced by run.sh.

. tests/tree/deb.sh

build_of_built() {
    rm -f "$target/deb.sum"
    cargo build --quiet --release --locked -p otpd -p otpd-mail -p otpd-login -p otpd-web -p otpctl -p pam_otp -p otpd-try &&
        packaging/build-deb.sh --built "$target/release" && [ "$(debs | wc -l)" = 3 ]
}

# sshd that was told to read its configuration again is away for a moment.
as_before() { eventually login accepted bob && login accepted alice; }

asks_who_has_a_device() { login accepted bob && login refused alice ''; }

test_install() {
    step "packages of what is built" build_of_built
    step "a $suite with systemd and sshd" settle
    step "boots" tree_boot
    bring_typist
    step "logins by SSH" as_before
    step "README, step 1: installed" install_packages
    step "complete, and no login has changed" installed_and_silent
    step "README, step 2: doctor has no fail" checked
    step "ready: sockets there, user otpd, status for root" ready_as_otpd
    step "README, step 3: two people bind for themselves" two_people
    step "README, step 4: sshd" set_up_sshd
    step "logins as before" as_before
    step "README, step 5: switched on for sshd, and kept by a login" switched_on
    step "who has a device needs a code, nobody else does" asks_who_has_a_device
    step "a login with password and code, once" guards_logins
    step "not removed while a line needs it" not_while_needed
    step "removed: logins as before, the registry stays" removed
    step "purged: it says what stays" purged
    step "shuts down" tree_halt
}
