# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# The RPM packages, put by rpm itself into a Debian that systemd runs: their files and scripts do their work. What an
# Enterprise Linux would say of their dependencies is not asked. Sourced by run.sh.

rpms() { find "$target/rpm/rpms" -name '*.rpm' ! -name '*.src.rpm'; }

build() { packaging/build-rpm.sh --source && [ "$(rpms | wc -l)" = 4 ]; }

# rpmlint counts errors at the end; warnings are about what only a distribution has.
no_errors() {
    local said
    said=$(rpmlint --config tests/tree/rpmlint.toml packaging/rpm/otpd.spec "$target"/rpm/rpms/*/*.rpm "$target"/rpm/rpms/*.rpm 2>&1)
    echo "$said"
    grep -q '; 0 errors' <<<"$said"
}

settle() {
    settle_alice systemd-sysv dbus libpam-systemd openssh-server rpm &&
        tree_run sh -ec 'useradd --create-home bob; echo bob:xyzzy | chpasswd' &&
        mkdir "$tree/root/rpms" && rpms | xargs cp -t "$tree/root/rpms"
}

# "rpm" in a copy of the tree that is not booted, as whoever makes a disk's image does it. What each script ran is in
# $tree.trace.
root_rpm() {
    local status=0
    strace -f -qq -e trace=execve -e signal=none -o "$tree.trace" \
        unshare --mount --pid --fork --kill-child rpm --root "$tree.root" --nodeps "$@" >"$tree.said" 2>&1 || status=$?
    cat "$tree.said"
    sed -n 's/^[0-9]* *execve("[^"]*", \[\(.*\)\], .* = 0$/\1/p' "$tree.trace" | tr -d '",' | tee "$tree.ran"
    return "$status"
}
# ran COUNT PATTERN: so many of the commands were that.
ran() { expect "$1" grep -cE "$2" "$tree.ran"; }
enabled() { find "$tree.root/etc/systemd/system" -type l -name 'otpd*' -printf '%f\n' | sort -u | paste -sd' '; }

rooted() {
    local accounts units='otpd-account.socket otpd-outbox.socket otpd-session.socket otpd-tickets.socket otpd-web.service'
    accounts=$(sha256sum /etc/passwd /etc/group /etc/shadow)
    cp -a "$tree" "$tree.root" &&
        root_rpm -i "$tree"/root/rpms/*.rpm && ran 3 '^useradd --system' && ran 1 '^systemd-tmpfiles --create otpd.conf$' &&
        ran 2 '^systemctl enable' && ran 2 '^systemctl' && expect "$units otpd.service otpd.socket" enabled &&
        # What the administrator has disabled stays so.
        rm "$tree.root/etc/systemd/system/multi-user.target.wants/otpd-web.service" &&
        root_rpm -U --force "$tree"/root/rpms/*.rpm && ran 0 '^(useradd|systemctl)' &&
        expect "${units% *} otpd.service otpd.socket" enabled &&
        echo 'auth required pam_otp.so' >"$tree.root/etc/pam.d/attic" && ! root_rpm -e pam_otp &&
        rm "$tree.root/etc/pam.d/attic" && install -D /dev/null "$tree.root/var/lib/otpd/registry.db" &&
        root_rpm -e otpd-web pam_otp otpd-selinux otpd && ran 2 '^systemctl disable' && ran 2 '^systemctl' &&
        expect '' enabled && grep '/var/lib/otpd stays' "$tree.said" || return
    # Of all that, nothing happened here.
    expect "$accounts" sha256sum /etc/passwd /etc/group /etc/shadow
}

# "rpm" of these packages; what they depend on is there under Debian's names.
put() { tree_in sh -ec 'rpm --nodeps "$@" /root/rpms/*.rpm' sh "$@"; }

ready_as_otpd() {
    expect active tree_in systemctl is-active otpd && expect otpd tree_in stat -c %U "/proc/$(property MainPID)" &&
        expect enabled tree_in systemctl is-enabled otpd.socket && tree_in otpctl status &&
        tree_in ls /usr/share/doc/otpd-web/examples/nginx/otpd-http.conf /usr/share/doc/otpd-web/examples/caddy/Caddyfile
}

guard_sshd() {
    local module
    module=$(tree_in sh -c 'rpm -ql pam_otp | grep "/pam_otp.so$"')
    sed -i -e "/^@include common-auth/a auth required $module" -e "/^@include common-account/i account required $module" \
        "$tree/etc/pam.d/sshd" &&
        printf 'KbdInteractiveAuthentication yes\nPasswordAuthentication no\n' >"$tree/etc/ssh/sshd_config.d/10-otpd.conf" &&
        tree_in systemctl reload ssh
}

upgraded() {
    local pid
    pid=$(property MainPID)
    tree_in sed -i 's/^issuer = .*/issuer = "attic"/' /etc/otpd/otpd.toml
    put -U --force && ready_as_otpd && ! expect "$pid" property MainPID &&
        expect 'issuer = "attic"' tree_in grep ^issuer /etc/otpd/otpd.toml && guards_logins
}

not_while_needed() { tree_in rpm -e otpd-web && ! tree_in rpm -e pam_otp && tree_in rpm -q pam_otp && guards_logins; }

removed() {
    local said
    tree_in sed -i '/pam_otp/d' /etc/pam.d/sshd
    said=$(tree_in rpm -e pam_otp otpd-selinux otpd 2>&1) || { echo "$said"; return 1; }
    grep -q '/var/lib/otpd stays' <<<"$said" && tree_in test -s /var/lib/otpd/registry.db &&
        ! tree_in sh -c 'pidof otpd || ls /run/otpd/*.sock' && login accepted bob
}

test_rpm() {
    step "packaging/build-rpm.sh" build
    step "rpmlint has no errors" no_errors
    step "a $suite with systemd, sshd and rpm" settle
    step "into a root that is not booted, upgraded, removed: what the scripts ran" rooted
    step "boots" tree_boot
    bring_typist
    step "installed: no login has changed" put -i
    step "it runs, as otpd" ready_as_otpd
    step "logins as before" login accepted bob
    step "PAM and sshd" guard_sshd
    step "a login with password and code, once" guards_logins
    step "upgraded: the administrator's configuration stays" upgraded
    step "not removed while a line needs it" not_while_needed
    step "removed: it says what stays" removed
    step "shuts down" tree_halt
}
