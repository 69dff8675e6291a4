# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# The packages under a booted systemd: what the README promises, and what nobody wants to find out about a box whose
# logins depend on it. SSH works at every step. Sourced by run.sh.

. tests/tree/packages.sh

no_complaints() {
    local said
    # Who sees to it that the names are right is the uploader, and there is none.
    said=$(find "$target/deb" -maxdepth 1 -name '*.changes' -exec lintian --allow-root --fail-on error,warning {} + 2>&1) ||
        { echo "$said"; return 1; }
}

# A Debian with a clock, sshd and Alice; bob has no device. The packages lie where Alice built them.
settle() {
    settle_alice systemd-sysv dbus libpam-systemd systemd-timesyncd openssh-server man-db &&
        tree_run sh -ec 'useradd --create-home bob; echo bob:xyzzy | chpasswd
            # From 9.8 on it turns away an address from which logins have failed, and here there is only one address.
            mkdir -p /run/sshd
            if sshd -T | grep -q ^persourcepenalties; then
                echo "PerSourcePenalties no" >/etc/ssh/sshd_config.d/penalties.conf
            fi' &&
        echo 'APT::Get::Assume-Yes "true";' >"$tree/etc/apt/apt.conf.d/yes" &&
        lay_out "$target/deb"
}
# --- installing --------------------------------------------------------------

installed_and_silent() {
    ! tree_in grep -r --exclude=otpd-web pam_otp /etc/pam.d && login accepted bob && login accepted alice && complete
}
# Everything is where it belongs.
complete() {
    tree_in sh -ec '
        test -f /usr/lib/*-linux-gnu/security/pam_otp.so
        for page in 8/otpd 5/otpd.toml 8/otpd-mail 5/mail.toml 8/otpd-login 8/otpd-web 5/web.toml 1/otpctl 8/pam_otp; do
            man --warnings "${page%/*}" "${page#*/}" >/dev/null
        done
        test -s /usr/share/bash-completion/completions/otpctl
        for example in nginx/example.conf nginx/otpd-http.conf caddy/Caddyfile; do
            test -s "/usr/share/doc/otpd-web/examples/$example"
        done
        zcat -f /usr/share/doc/otpd/crates.txt* | grep -q "^rusqlite "
        zcat -f /usr/share/doc/libpam-otpd/crates.txt* | grep -q "^pam-bindings "'
}

checked() {
    local said status
    said=$(alice "$(readme 2 | grep doctor)" 2>&1)
    status=$?
    echo "$said"
    # The sandbox lets it ask whether the clock is synchronised.
    [ "$status" = 0 ] && ! grep -qw fail <<<"$said" && ! grep -q 'does not say' <<<"$said"
}

# (What is masked is a link.)
units() { tree_in find /lib/systemd/system -name 'otpd*' -type f -printf '%f\n'; }
units_verify() {
    local said unit
    # shellcheck disable=SC2046 # a list
    said=$(tree_in systemd-analyze verify $(units) 2>&1) && [ -z "$said" ] || { echo "$said"; return 1; }
    for unit in $(units | grep '[^@]\.service$'); do
        # In tenths. (otpd-session@.service: tests/run.sh.)
        tree_in systemd-analyze security --threshold=15 "$unit" || return
    done
}

ready_as_otpd() {
    expect active property ActiveState && expect active property ActiveState otpd.socket &&
        expect otpd tree_in stat -c %U "/proc/$(property MainPID)" &&
        expect '/run/otpd 755 root
/run/otpd/account.sock 666 root
/run/otpd/login.sock 600 root
/run/otpd/mail.sock 600 otpd-mail
/run/otpd/session.sock 600 otpd-web
/run/otpd/web.sock 600 otpd-web' tree_in sh -c 'find /run/otpd -printf "%p %m %u\n" | sort' &&
        expect '/var/lib/otpd 700 otpd' tree_in stat -c '%n %a %U' /var/lib/otpd && tree_in otpctl status
}

# Beside the unit's walls it has put up its own.
web_is_up() {
    expect otpd-web tree_in stat -c %U "/proc/$(property MainPID otpd-web)" &&
        tree_in sh -c 'journalctl --unit otpd-web | grep "ready; listening at http://127.0.0.1:8480"' &&
        ! tree_in sh -c 'journalctl --unit otpd-web | grep Landlock'
}

# Two people at once in the sandbox: each is who they are, and nobody is somebody else.
two_people() {
    new_user carol && bind_device carol runuser -u carol -- && bind_device alice runuser -u alice -- &&
        tree_in runuser -u carol -- otpctl devices | grep -q phone &&
        tree_in runuser -u alice -- otpctl devices | grep -q phone &&
        ! tree_in runuser -u carol -- otpctl devices alice &&
        expect 'alice
carol' tree_in sh -c 'otpctl accounts --json | grep -o "\"user\": *\"[a-z]*\"" | cut -d\" -f4 | sort'
}

# --- guarding ----------------------------------------------------------------

pending() { tree_in otpctl pam status --json | grep -q '"pending":\[{'; }
# Alice logs in with a code, and it stays.
switched_on() {
    alice "$(readme 5 | grep 'pam enable sshd$')" && pending &&
        [ "$(grep -c pam_otp.so "$tree/etc/pam.d/sshd")" = 2 ] && login accepted alice "$(code alice)" &&
        eventually not_pending && [ "$(grep -c pam_otp.so "$tree/etc/pam.d/sshd")" = 2 ]
}
not_pending() { ! pending; }

# Nobody logs in: the unit that systemd runs for it takes it back, though it was killed once.
taken_back() {
    tree_in otpctl pam disable sshd && tree_in otpctl pam enable sshd --within 30s && pending || return
    tree_in sh -c 'systemctl kill --signal=KILL "otpctl-pam-sshd-*"'
    local tries
    for ((tries = 0; tries < 60; tries++)); do
        pending || break
        sleep 1
    done
    ! grep -q pam_otp "$tree/etc/pam.d/sshd" && login accepted alice
}

# The machine goes down before anybody has logged in.
taken_back_at_boot() {
    tree_in otpctl pam enable sshd && pending && tree_halt
    tree_boot && eventually not_pending && ! grep -q pam_otp "$tree/etc/pam.d/sshd" && login accepted alice
}

pam_enabled() {
    alice "$(readme 5 | grep 'pam enable --all')" && grep -q pam_otp.so "$tree/etc/pam.d/common-auth" &&
        [ "$(grep -c pam_otp.so "$tree/etc/pam.d/sshd")" = 1 ] && tree_in otpctl pam confirm
}

# A wrong password is refused before anybody is asked for a code; without a device the password is enough.
asks_after_the_password() {
    login accepted bob && login accepted alice "$(code alice)" || return
    tree_in sed -i 's/echo xyzzy/echo wrong/' /usr/local/bin/typist
    local status=0
    login refused carol "$(code carol)" || status=1
    bring_typist
    [ $status = 0 ] && login accepted carol "$(code carol)"
}

set_up_sshd() {
    readme 4 | sed -n '/^UsePAM/,/^#AuthenticationMethods/p' >"$tree/etc/ssh/sshd_config.d/10-otpd.conf"
    alice "$(readme 4 | grep '^sudo')"
}

# --- faults ------------------------------------------------------------------

reload() {
    local pid
    pid=$(property MainPID)
    tree_in systemctl reload otpd &&
        eventually tree_in sh -c 'journalctl --unit otpd | grep "configuration reloaded"' && expect "$pid" property MainPID
}

killed() {
    tree_in kill -KILL "$(property MainPID)" && guards_logins && ready_as_otpd
}

# It hangs: systemd kills it when it has said nothing for so long, and logins go on.
hung() {
    tree_in sh -ec 'mkdir -p /run/systemd/system/otpd.service.d
        printf "[Service]\nWatchdogSec=2\n" >/run/systemd/system/otpd.service.d/watchdog.conf
        systemctl daemon-reload; systemctl restart otpd; sleep 5' || return
    expect 0 property NRestarts && tree_in kill -STOP "$(property MainPID)" &&
        eventually expect 1 property NRestarts && guards_logins &&
        tree_in sh -c 'journalctl --unit otpd | grep "Watchdog timeout"' &&
        tree_in sh -ec 'rm -r /run/systemd/system/otpd.service.d; systemctl daemon-reload; systemctl restart otpd'
}

# However often it fails to start and whoever knocks: once it is mended, logins work without anybody seeing to the units.
broken_and_mended() {
    tree_in sh -ec 'cp -p /etc/otpd/otpd.toml /root/good; echo nonsense >>/etc/otpd/otpd.toml; systemctl kill otpd
        for try in 1 2 3 4 5 6; do timeout 1 runuser -u bob otpctl status; sleep 1; done >/dev/null 2>&1 || :' || return
    login refused bob && ! tree_in systemctl is-active otpd &&
        tree_in cp -p /root/good /etc/otpd/otpd.toml && eventually tree_in systemctl is-active otpd && guards_logins
}

# Who logs in wakes it; with the sockets closed nobody gets in.
stopped() {
    tree_in systemctl stop otpd && expect inactive property ActiveState && expect success property Result &&
        guards_logins && expect active property ActiveState &&
        tree_in systemctl stop 'otpd*.socket' && expect inactive property ActiveState && login refused bob &&
        tree_in systemctl start otpd && ready_as_otpd && login accepted bob
}

# As otpd(8) says under KEYS.
sealed_key() {
    tree_in sh -ec 'systemd-creds encrypt --name=registry.key /var/lib/otpd/registry.key /etc/otpd/registry.key.cred
        mkdir -p /etc/systemd/system/otpd.service.d
        printf "[Service]\nLoadCredentialEncrypted=registry.key:/etc/otpd/registry.key.cred\n" \
            >/etc/systemd/system/otpd.service.d/key.conf
        mv /var/lib/otpd/registry.key /root; systemctl daemon-reload; systemctl restart otpd' &&
        ready_as_otpd && guards_logins &&
        ! tree_in sh -c 'find /var/lib/otpd /run/otpd -name "*.key" | grep .'
}

# The sockets listen before sshd does, and the first login waits for otpd.
boot_again() {
    tree_halt
    tree_boot && ready_as_otpd && guards_logins &&
        expect 1 tree_in sh -c 'a=$(systemctl show --property ActiveEnterTimestampMonotonic --value otpd.socket)
            b=$(systemctl show --property ExecMainStartTimestampMonotonic --value ssh); echo $((a < b))'
}

# --- upgrading ---------------------------------------------------------------

inodes() { tree_in stat -c %i /run/otpd/login.sock /run/otpd/account.sock; }
module() { tree_in sh -c 'stat -c %i /usr/lib/*-linux-gnu/security/pam_otp.so'; }

# Logins without end while the packages are exchanged, none refused; the administrator's words are as they were.
upgrade() {
    local pid sockets before status=0
    pid=$(property MainPID) sockets=$(inodes) before=$(module)
    tree_in sed -i 's/^issuer = .*/issuer = "attic"/' /etc/otpd/otpd.toml
    tree_in sh -c 'while [ ! -e /run/enough ]; do
        SSH_ASKPASS=/usr/local/bin/typist SSH_ASKPASS_REQUIRE=force ssh -o StrictHostKeyChecking=no \
            -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR bob@127.0.0.1 "echo accepted" 2>&1; done >/run/logins' &
    local logins=$!
    eventually tree_in test -s /run/logins
    install_packages || status=1
    tree_in touch /run/enough
    wait $logins
    [ $status = 0 ] && expect accepted tree_in sort -u /run/logins && ready_as_otpd && ! expect "$pid" property MainPID &&
        expect "$sockets" inodes && ! expect "$before" module && expect 'issuer = "attic"' tree_in grep ^issuer /etc/otpd/otpd.toml &&
        guards_logins
}

# With a configuration that the new one refuses, the old one goes on.
upgrade_beside_a_wrong_configuration() {
    local pid said
    pid=$(property MainPID)
    tree_in sh -c 'cp -p /etc/otpd/otpd.toml /root/good; echo nonsense >>/etc/otpd/otpd.toml'
    said=$(alice 'sudo apt-get install --reinstall ./target/deb/*.deb' 2>&1) || { echo "$said"; return 1; }
    grep -q 'the old one goes on' <<<"$said" && expect "$pid" property MainPID && guards_logins &&
        tree_in cp -p /root/good /etc/otpd/otpd.toml && tree_in systemctl restart otpd && guards_logins
}

# --- removing ----------------------------------------------------------------

# With a line left in sshd, its removal would be the end of all logins.
not_while_needed() {
    local said
    said=$(tree_in apt-get remove libpam-otpd otpd 2>&1) && { echo "$said"; return 1; }
    grep -q '/etc/pam.d/sshd:[0-9]*:account' <<<"$said" && guards_logins
}

removed() {
    tree_in otpctl pam disable --all && tree_in apt-get remove libpam-otpd otpd &&
        ! tree_in grep -r --exclude=otpd-web pam_otp /etc/pam.d && ! tree_in sh -c 'pidof otpd || pidof otpd-mail || ls /run/otpd/*.sock' &&
        tree_in test -s /var/lib/otpd/registry.db && login accepted bob && login accepted alice
}

# Afterwards it still knows everybody. (Where mail works, a new device needs a secure email; whether otpd-mail runs again by
# itself is the distribution's affair, and otpd goes on believing in one that has just been there.)
installed_again() {
    install_packages && tree_in systemctl stop otpd-mail && tree_in systemctl restart otpd && pam_enabled && ready_as_otpd &&
        login refused alice '' && guards_logins && tree_in otpctl pam disable --all
}

purged() {
    local said
    said=$(tree_in apt-get purge libpam-otpd otpd 2>&1) || { echo "$said"; return 1; }
    grep -q '/var/lib/otpd stays' <<<"$said" && tree_in test -s /var/lib/otpd/registry.db &&
        ! tree_in test -e /etc/otpd/otpd.toml && expect '' tree_in sh -c 'systemctl --failed --no-legend --plain' &&
        ! tree_in grep -r --exclude=otpd-web pam_otp /etc/pam.d && login accepted bob && login accepted alice
}

test_deb() {
    step "packaging/build-deb.sh" build
    step "lintian has nothing to say" no_complaints
    step "a $suite with systemd and sshd" settle
    step "boots" tree_boot
    bring_typist
    step "README, step 1: installed" install_packages
    step "complete, and no login has changed" installed_and_silent
    step "README, step 2: doctor has no fail" checked
    step "systemd-analyze: verify has nothing to say, security at most 1.5" units_verify
    step "ready: sockets there, user otpd, status for root" ready_as_otpd
    step "the account page is up, as otpd-web, and has shut itself in" web_is_up
    step "README, step 3: two people bind for themselves" two_people
    step "README, step 4: sshd" set_up_sshd
    step "README, step 5: switched on for sshd, and kept by a login" switched_on
    step "switched on without a login: taken back" taken_back
    step "started anew before a login: taken back" taken_back_at_boot
    step "README, step 5: switched on for all" pam_enabled
    step "asks after the password, and nobody without a device" asks_after_the_password
    step "a login with password and code, once" guards_logins
    step "systemctl reload" reload
    step "stopped: who logs in wakes it" stopped
    step "killed: it comes back" killed
    step "hung: it comes back" hung
    step "broken, with people knocking: mended, it comes back" broken_and_mended
    step "the key as an encrypted credential" sealed_key
    step "at the next boot it listens before sshd" boot_again
    step "the next version" make_next
    step "upgraded under logins without end: none is refused" upgrade
    step "upgraded beside a wrong configuration: the old one goes on" upgrade_beside_a_wrong_configuration
    step "not removed while a line needs it" not_while_needed
    # Not earlier: where mail works, a first device needs a secure email.
    step "README, step 2: mail" mail_by_smtp
    step "removed: logins as before, the registry stays" removed
    step "installed again: everybody is known" installed_again
    step "purged: it says what stays" purged
    step "shuts down" tree_halt
}
