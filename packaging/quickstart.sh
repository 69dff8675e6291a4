#!/bin/sh
# Tries otpd out on this machine without installing it: builds it, starts it with a
# registry of its own, a private sshd and a mailbox on loopback, binds a device for a demo user.
# The host's /etc, PAM files, users and /run stay as they are; all of it is gone at the end.
#
#   sudo ./packaging/quickstart.sh            then log in from another terminal
#   sudo ./packaging/quickstart.sh --check    does it without a person; exit code 0 if all went right
set -eu

say() { printf '%s\n' "$*"; }
fail() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }

check=no
case "${1-}" in
    '') ;;
    --check) check=yes ;;
    *) fail "usage: quickstart.sh [--check]" ;;
esac

[ "$(id -u)" = 0 ] || fail "needs root, for a mount namespace and a private sshd: sudo $0 $*"
source_dir=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# --- what it needs -----------------------------------------------------------

# sudo resets PATH and HOME, and rustup keeps its toolchains below HOME: the one of the user who called will do.
caller=${SUDO_USER:-root}
caller_home=$(getent passwd "$caller" | cut -d: -f6)
if ! command -v cargo >/dev/null 2>&1; then
    for bin in "$caller_home/.cargo/bin" /root/.cargo/bin /usr/local/cargo/bin; do
        [ -x "$bin/cargo" ] || continue
        PATH="$bin:$PATH"
        rustup="${bin%/.cargo/bin}/.rustup"
        [ ! -d "$rustup" ] || export RUSTUP_HOME="${RUSTUP_HOME:-$rustup}"
        break
    done
fi
if ! command -v cargo >/dev/null 2>&1; then
    fail "the Rust toolchain is missing. Get it from https://rustup.rs (or your distribution, version 1.89
or newer), then run this again."
fi

missing=''
want() { [ -e "$1" ] || missing="$missing $2"; }
want /usr/include/security/pam_modules.h libpam0g-dev
want /usr/sbin/sshd openssh-server
want /usr/bin/ssh openssh-client
want /usr/bin/oathtool oathtool
want /usr/bin/unshare util-linux
want /usr/bin/cc gcc
want /usr/bin/perl perl-base
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null 2>&1 || fail "install first:$missing (names as in Debian)"
    say "Installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    # No service of an installed package may start here: policy-rc.d says no, and is removed again.
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
        made_policy=yes
    fi
    # shellcheck disable=SC2086 # a list of package names
    apt-get -qq install --no-install-recommends -y $missing >/dev/null || made_failed=yes
    [ "$made_policy" = no ] || rm -f "$policy"
    [ -z "${made_failed-}" ] || fail "apt-get could not install:$missing"
fi

say "Building; the first time this takes a few minutes, without a word ..."
build() { (cd "$source_dir" && "$@" cargo build --quiet --release --locked -p otpd -p otpd-mail -p otpctl -p pam_otp); }
# In their own checkout the caller builds, or the next cargo build there would meet files of root.
builder=root
[ "$(stat -c %U "$source_dir")" != "$caller" ] || builder=$caller
case "$(command -v cargo)" in /root/*) builder=root ;; esac
if [ "$builder" = root ]; then build env; else build runuser -u "$builder" -- env HOME="$caller_home"; fi
built="${CARGO_TARGET_DIR:-$source_dir/target}/release"

# --- a private system --------------------------------------------------------

demo=$(mktemp -d /var/tmp/otpd-quickstart.XXXXXX)
run=$(mktemp -d /run/otpd-quickstart.XXXXXX)
chmod 755 "$demo" "$run"
holder='' daemon='' mailer='' mailbox='' sshd='' made_run_sshd=''
cleanup() {
    for pid in $sshd $mailer $mailbox $daemon $holder; do kill "$pid" 2>/dev/null || true; done
    for pid in $sshd $mailer $mailbox $daemon $holder; do wait "$pid" 2>/dev/null || true; done
    [ -z "$made_run_sshd" ] || rmdir /run/sshd 2>/dev/null || true
    rm -rf "$demo" "$run"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

user=demo
password=demo
address=demo@example.org
mkdir -p "$demo/etc/pam.d" "$demo/home/$user" "$demo/bin" "$demo/mailbox"
install -m 755 "$built/otpd" "$built/otpd-mail" "$built/otpctl" "$demo/bin"
install -m 644 "$built/libpam_otp.so" "$demo/pam_otp.so"
for file in passwd shadow group; do
    grep -v "^$user:\|^otpd:\|^otpd-mail:" "/etc/$file" >"$demo/etc/$file"
    chmod --reference="/etc/$file" "$demo/etc/$file"
done
# crypt(5) of "demo".
hash='$6$otpddemo$JhCJm0McBlDE5miBWJDO4fFrbnBYjkiT3YI0bksfgcIGAVt3xqw0hgSxIuWG1zXR2EqJsF2UtBUVquTNlOY.H0'
cat >>"$demo/etc/passwd" <<EOF
$user:x:60900:60900::/home/$user:/bin/sh
otpd:x:60901:60901::/nonexistent:/usr/sbin/nologin
otpd-mail:x:60902:60902::/nonexistent:/usr/sbin/nologin
EOF
printf '%s:%s:20000:0:99999:7:::\n' "$user" "$hash" >>"$demo/etc/shadow"
printf '%s:x:60900:\notpd:x:60901:\notpd-mail:x:60902:\n' "$user" >>"$demo/etc/group"
chown 60900:60900 "$demo/home/$user" "$demo/mailbox"
chmod 700 "$demo/home/$user" "$demo/mailbox"

cat >"$demo/etc/pam.d/sshd" <<EOF
auth     requisite  pam_unix.so
auth     required   $demo/pam_otp.so socket=$run/sockets/login.sock
account  required   $demo/pam_otp.so socket=$run/sockets/login.sock
account  required   pam_unix.so
session  required   pam_permit.so
EOF
cat >"$demo/otpd.toml" <<EOF
issuer = "otpd demo"
[paths]
state = "$demo/state"
runtime = "$run/sockets"
EOF

# The namespace lives as long as this process, which ends when the pipe does.
mkfifo "$demo/hold" "$demo/ready"
unshare -m --propagation private sh -c '
    set -e
    for file in passwd shadow group pam.d; do mount --bind "$1/etc/$file" "/etc/$file"; done
    mount --bind "$1/home" /home
    echo ready >"$1/ready"
    exec cat "$1/hold" >/dev/null
' sh "$demo" &
holder=$!
exec 9<>"$demo/hold"
read -r _ <"$demo/ready"
inside() { nsenter -t "$holder" -m -- "$@"; }
ctl() { inside "$demo/bin/otpctl" --runtime-dir "$run/sockets" "$@"; }

# until_up PID COMMAND...: waits until the command succeeds; fails if the process ends or half a minute passes.
until_up() {
    waited_for=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        kill -0 "$waited_for" 2>/dev/null || return 1
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || return 1
        sleep 0.1
    done
}

# Not through the function: in the background that would be a shell of its own, and killing it would kill nothing.
nsenter -t "$holder" -m -- "$demo/bin/otpd" --config "$demo/otpd.toml" 2>"$demo/otpd.log" &
daemon=$!
until_up "$daemon" grep ready "$demo/otpd.log" || fail "otpd did not start: $(cat "$demo/otpd.log")"

# --- its mail ----------------------------------------------------------------

# Perl, because a bare Debian has it. Says its port, keeps each mail as a file, and sends nothing on.
cat >"$demo/mailbox.pl" <<'EOF'
use strict;
use IO::Socket::INET;
my $directory = shift;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die "127.0.0.1: $@\n";
print $server->sockport, "\n";
close STDOUT;
$SIG{PIPE} = 'IGNORE';
my $kept = 0;
while (my $client = $server->accept) {
    print $client "220 mailbox\r\n";
    while (my $line = <$client>) {
        if ($line =~ /^DATA\b/i) {
            print $client "354 go on\r\n";
            my $mail = '';
            while ($line = <$client> and $line ne ".\r\n") {
                $line =~ s/^\.//;
                $line =~ s/\r\n$/\n/;
                $mail .= $line;
            }
            last unless $line;
            open my $file, '>', "$directory/.new" or die "$directory: $!\n";
            print $file $mail;
            close $file;
            rename "$directory/.new", sprintf "%s/%03d", $directory, ++$kept;
        }
        print $client "250 ok\r\n";
        last if $line =~ /^QUIT\b/i;
    }
}
EOF
setpriv --reuid 60900 --regid 60900 --clear-groups perl "$demo/mailbox.pl" "$demo/mailbox" \
    >"$demo/ready" 2>"$demo/mailbox.log" &
mailbox=$!
read -r mail_port <"$demo/ready" || fail "the mailbox did not start: $(cat "$demo/mailbox.log")"

# The code of the newest mail with this subject, as soon as there is one.
cat >"$demo/mailed-code" <<EOF
#!/bin/sh
tries=0
until mail=\$(grep -ls "^Subject: \$1" "$demo/mailbox"/* | tail -n 1) && [ -n "\$mail" ]; do
    tries=\$((tries + 1))
    [ "\$tries" -lt 300 ] || exit 1
    sleep 0.1
done
sed -n 's/^ *\([0-9A-Z]\{4\}-[0-9A-Z]\{4\}\)$/\1/p' "\$mail"
EOF
chmod 755 "$demo/mailed-code"

cat >"$demo/mail.toml" <<EOF
socket = "$run/sockets/mail.sock"
transport = "smtp"
from = "otpd@example.org"
[smtp]
host = "127.0.0.1"
port = $mail_port
tls = "none"
EOF
nsenter -t "$holder" -m -- "$demo/bin/otpd-mail" --config "$demo/mail.toml" 2>"$demo/mail.log" &
mailer=$!
until_up "$mailer" ctl mail status || fail "no mail goes out: $(cat "$demo/mail.log")"
ctl email add "$user" "$address" --language en --begin >/dev/null
confirmation=$("$demo/mailed-code" 'Confirm this address') || fail "no mail came: $(cat "$demo/mail.log")"
ctl email confirm "$user" "$confirmation" >/dev/null

# --- its sshd ----------------------------------------------------------------

# sshd insists on this empty directory; it is there wherever a sshd ran since the machine started.
[ -d /run/sshd ] || { mkdir -m 755 /run/sshd && made_run_sshd=yes; }
ssh-keygen -q -t ed25519 -N '' -f "$demo/host_key"
start_sshd() {
    cat >"$demo/sshd_config" <<EOF
Port $1
ListenAddress 127.0.0.1
HostKey $demo/host_key
PidFile none
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication yes
AuthenticationMethods keyboard-interactive:pam
EOF
    nsenter -t "$holder" -m -- /usr/sbin/sshd -D -e -f "$demo/sshd_config" 2>"$demo/sshd.log" &
    sshd=$!
    until_up "$sshd" grep 'Server listening' "$demo/sshd.log"
}
port=2222
until start_sshd "$port"; do
    port=$((port + 1))
    [ "$port" -lt 2300 ] || fail "no free port from 2222 to 2299 on 127.0.0.1: $(cat "$demo/sshd.log")"
done

# --- with a person -----------------------------------------------------------

if [ "$check" = no ]; then
    say ""
    say "A private sshd listens on 127.0.0.1 port $port. Bind a device for the user \"$user\":"
    say ""
    ctl bind "$user" --name phone
    say ""
    say "Now log in from another terminal (password: $password), and again with the same code:"
    say ""
    say "    ssh -p $port -o NoHostAuthenticationForLocalhost=yes $user@127.0.0.1"
    say ""
    say "Lost the phone? Type mail instead of a code. What is mailed to $address comes to a mailbox here:"
    say ""
    say "    sudo $demo/mailed-code 'Your login code'"
    say ""
    say "Press Ctrl-C here to stop; everything this made is removed then."
    wait "$sshd"
    exit 0
fi

# --- without a person --------------------------------------------------------

begun=$(ctl bind "$user" --name phone --begin --json)
key=$(printf '%s' "$begun" | sed -n 's/.*"key":[[:space:]]*"\([A-Z2-7]*\)".*/\1/p')
[ -n "$key" ] || fail "no key in what otpctl printed: $begun"
code() { oathtool --totp --base32 --now="@$(($(date +%s) + ${1:-0}))" "$key"; }
# The previous code proves the device, so the present one is still good for the login.
ctl confirm "$user" phone "$(code -30)" >/dev/null

cat >"$demo/typist" <<'EOF'
#!/bin/sh
case "$1" in
    *assword*) echo "$PASSWORD" ;;
    *'on its way'*) "$MAILED_CODE" 'Your login code' ;;
    *) echo "$CODE" ;;
esac
EOF
chmod 755 "$demo/typist"
login() {
    CODE=$1 PASSWORD=$password MAILED_CODE="$demo/mailed-code" SSH_ASKPASS="$demo/typist" SSH_ASKPASS_REQUIRE=force ssh -F none -p "$port" \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 \
        "$user@127.0.0.1" 'echo logged in' 2>/dev/null
}
bad=0
expect() {
    what=$1 wanted=$2 given=$3
    if [ "$(login "$given")" = 'logged in' ]; then got=accepted; else got=refused; fi
    if [ "$got" = "$wanted" ]; then verdict=ok; else verdict=WRONG bad=1; fi
    printf '  %-28s %-9s %s\n' "$what" "$got" "$verdict"
}
now=$(code)
wrong=$(printf '%06d' $(((${now#"${now%%[!0]*}"} + 500000) % 1000000)))
say "Logging in as $user through sshd on 127.0.0.1 port $port:"
expect 'password and code' accepted "$now"
expect 'the same code again' refused "$now"
expect 'a wrong code' refused "$wrong"
expect 'mail, and the code from it' accepted mail
expect 'the same code again' refused "$("$demo/mailed-code" 'Your login code')"
[ "$bad" = 0 ] || fail "not as it should be; otpd said: $(cat "$demo/otpd.log" "$demo/mail.log")"
say "All as it should be."
