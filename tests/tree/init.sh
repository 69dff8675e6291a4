# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# The packages on a box that sysvinit runs, without systemd: the init script in every state. Sourced by run.sh.

. tests/tree/packages.sh

settle() {
    settle_alice sysvinit-core systemd-standalone-sysusers orphan-sysvinit-scripts rsyslog procps openssh-server man-db &&
        tree_run sh -ec 'useradd --create-home bob; echo bob:xyzzy | chpasswd' &&
        echo 'APT::Get::Assume-Yes "true";' >"$tree/etc/apt/apt.conf.d/yes" &&
        # No terminals here.
        sed -i 's/^[1-6]:.*getty.*/#&/' "$tree/etc/inittab" && lay_out "$target/deb"
}

# As Alice installs them, but that a clock is somebody else's business here.
install_from() { alice "$(readme 1 | grep 'apt install.*deb/' | sed 's/install/& --no-install-recommends/')"; }

# says STATUS ACTION: what the script answers.
says() {
    local wanted=$1 got=0
    tree_in service otpd "$2" || got=$?
    [ "$got" = "$wanted" ] || { echo "service otpd $2: status $got, not $wanted"; return 1; }
}
pid() { tree_in pidof otpd; }

ready_as_otpd() {
    says 0 status && expect otpd tree_in sh -c 'stat -c %U /proc/$(cat /run/otpd.pid)' &&
        expect "$(pid)" tree_in cat /run/otpd.pid &&
        expect '/run/otpd 755 root
/run/otpd/account.sock 666 root
/run/otpd/login.sock 600 root
/run/otpd/mail.sock 600 otpd-mail
/run/otpd/session.sock 600 otpd-web
/run/otpd/web.sock 600 otpd-web' tree_in sh -c 'find /run/otpd -printf "%p %m %u\n" | sort' &&
        tree_in otpctl status && ! tree_in test -e /run/systemd/system
}

guard_sshd() {
    local lines
    lines=$(readme 4)
    sed -i -e "/^@include common-auth/a $(grep '^auth.*pam_otp' <<<"$lines")" \
        -e "/^@include common-account/i $(grep '^account.*pam_otp' <<<"$lines")" "$tree/etc/pam.d/sshd" &&
        printf 'KbdInteractiveAuthentication yes\nPasswordAuthentication no\n' >"$tree/etc/ssh/sshd_config.d/10-otpd.conf" &&
        tree_in service ssh reload
}

started_twice() {
    local first
    first=$(pid)
    says 0 start && expect "$first" pid && ready_as_otpd
}

stopped() {
    says 0 stop && says 3 status && ! pid && ! tree_in test -e /run/otpd.pid && login refused bob && says 0 stop &&
        says 0 start && ready_as_otpd && guards_logins
}

# Killed, the pid file names nobody; later perhaps somebody else, who is neither taken for otpd nor stopped.
stale_pid() {
    tree_in sh -c 'kill -KILL $(pidof otpd)' && eventually says 1 status && says 0 start && ready_as_otpd || return
    tree_in sh -c 'kill -KILL $(pidof otpd); pidof rsyslogd >/run/otpd.pid' && eventually says 1 status || return
    local other
    other=$(tree_in pidof rsyslogd)
    says 0 stop && expect "$other" tree_in pidof rsyslogd && says 0 start && ready_as_otpd && guards_logins
}

restarted() {
    local first
    first=$(pid)
    says 0 restart && ready_as_otpd && ! expect "$first" pid && says 0 reload &&
        eventually tree_in grep -q 'configuration reloaded' /run/otpd.log && guards_logins
}

# Running, it stays; stopped, it says why it does not start.
wrong_configuration() {
    local first said
    first=$(pid)
    tree_in sh -c 'cp -p /etc/otpd/otpd.toml /root/good; echo nonsense >>/etc/otpd/otpd.toml'
    says 1 restart && expect "$first" pid && guards_logins && says 0 stop || return
    said=$(tree_in service otpd start 2>&1) && return 1
    grep -q 'otpd.toml.*line' <<<"$said" && says 3 status &&
        tree_in cp -p /root/good /etc/otpd/otpd.toml && says 0 start && ready_as_otpd
}

# Off as installed.
mail() {
    ! tree_in service otpd-mail status && tell_mail_the_server && tree_in service otpd-mail start &&
        expect otpd-mail tree_in sh -c 'stat -c %U /proc/$(cat /run/otpd-mail.pid)' && tree_in service otpd-mail restart &&
        tree_in service otpd-mail status
}

boot_again() { tree_halt; tree_boot && ready_as_otpd && guards_logins; }

upgrade() {
    local first
    first=$(pid)
    make_next && install_from && ready_as_otpd && ! expect "$first" pid && guards_logins
}

purged() {
    sed -i '/pam_otp/d' "$tree/etc/pam.d/sshd"
    local said
    said=$(tree_in apt-get purge otpd-web libpam-otpd otpd 2>&1) || { echo "$said"; return 1; }
    grep -q '/var/lib/otpd stays' <<<"$said" && ! pid && ! tree_in pidof otpd-mail && expect '' tree_in sh -c 'ls -d /run/otpd* /etc/rc?.d/*otpd* /etc/init.d/otpd* 2>/dev/null' &&
        login accepted bob
}

test_init() {
    step "packaging/build-deb.sh" build
    step "a $suite with sysvinit and sshd" settle
    step "boots" tree_boot
    bring_typist
    step "installed" install_from
    step "the installation started it: user otpd, sockets, status" ready_as_otpd
    step "PAM and sshd" guard_sshd
    step "a login with password and code, once" guards_logins
    step "started twice" started_twice
    step "stopped: nobody gets in" stopped
    step "killed, and the pid file somebody else's" stale_pid
    step "restart, reload" restarted
    step "a wrong configuration" wrong_configuration
    step "the next boot" boot_again
    step "upgraded" upgrade
    # Not earlier: where mail works, a first device needs a secure email.
    step "otpd-mail, once it is told by which server" mail
    step "purged: it says what stays" purged
    step "shuts down" tree_halt
}
