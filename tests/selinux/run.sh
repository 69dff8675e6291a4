#!/bin/bash
# Builds packaging/selinux as the packages do, links it with Debian's whole policy, and asks the result who may connect
# to otpd. Needs root for apt alone; loads nothing into this machine's kernel.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { echo "tests/selinux/run.sh: $*" >&2; exit 1; }

packages=(selinux-policy-dev checkpolicy semodule-utils setools m4 make bzip2)
installed=$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed || :)
if [ "$installed" != "${#packages[@]}" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    apt-get -qq install -y --no-install-recommends "${packages[@]}" >/dev/null
fi

target="${CARGO_TARGET_DIR:-$PWD/target}"
debian="$target/selinux-policy-default"
if [ ! -d "$debian" ]; then
    download=$(mktemp -d)
    (cd "$download" && apt-get -qq -o APT::Sandbox::User=root download selinux-policy-default)
    rm -rf "$debian.new"
    dpkg-deb -x "$download"/*.deb "$debian.new"
    find "$debian.new" -name '*.pp.bz2' -exec bunzip2 {} +
    mv "$debian.new" "$debian"
    rm -r "$download"
fi

work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cp packaging/selinux/otpd.* "$work"
# The interface is found beside the rules.
make -C "$work" -f /usr/share/selinux/devel/Makefile otpd.pp >"$work/log" 2>&1 || { cat "$work/log"; fail "it does not build"; }

mapfile -t others < <(find "$debian/usr/share/selinux/default" -name '*.pp' ! -name base.pp)
semodule_link -o "$work/all.mod" "$debian/usr/share/selinux/default/base.pp" "$work/otpd.pp" "${others[@]}" >"$work/log" 2>&1 ||
    { tail -n 5 "$work/log"; fail "it does not fit Debian's policy"; }
semodule_expand "$work/all.mod" "$work/policy" >"$work/log" 2>&1 || { cat "$work/log"; fail "it breaks a rule of the policy"; }

# may DOMAIN TARGET: whether it may connect to its Unix sockets.
may() { sesearch -A -s "$1" -t "$2" -c unix_stream_socket -p connectto "$work/policy" | grep . >/dev/null; }
for domain in sshd_t local_login_t xdm_t user_sudo_t sysadm_su_t cockpit_session_t dovecot_auth_t ftpd_t user_t otpd_mail_t otpd_web_t otpd_login_t; do
    may "$domain" otpd_t || fail "$domain cannot ask otpd"
done
may otpd_web_t otpd_login_t || fail "otpd-web cannot have anybody logged in"
for domain in httpd_t sshd_t user_t; do
    ! may "$domain" otpd_login_t || fail "$domain can ask otpd-login"
done
for domain in httpd_t postfix_smtpd_t named_t smbd_t; do
    ! may "$domain" otpd_t || fail "$domain can ask otpd"
done
for domain in sshd_t httpd_t user_t otpd_mail_t otpd_web_t otpd_login_t; do
    ! sesearch -A -s "$domain" -t otpd_var_lib_t -c file -p read "$work/policy" | grep -v unconfined | grep . >/dev/null ||
        fail "$domain can read the registry"
done
echo "who logs people in may ask otpd, and nobody but otpd may read the registry"
