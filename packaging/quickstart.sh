#!/bin/sh
# Tries otpd out on this machine without installing it: builds it, starts it with a
# registry of its own, a private sshd, the account page and a mailbox on loopback, binds a device for a demo user.
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
build() { (cd "$source_dir" && "$@" cargo build --quiet --release --locked -p otpd -p otpd-mail -p otpd-login -p otpd-web \
    -p otpctl -p pam_otp); }
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
holder='' daemon='' mailer='' mailbox='' sshd='' page='' logins=''
end() {
    for pid in "$@"; do kill "$pid" 2>/dev/null || true; done
    for pid in "$@"; do wait "$pid" 2>/dev/null || true; done
}
cleanup() {
    # shellcheck disable=SC2086 # what was not started is no word
    end $page
    # A login on the page is a process of its own, which ends once the page is gone.
    tries=0
    while [ -n "$logins" ] && [ -n "$(cat "/proc/$logins/task/$logins/children" 2>/dev/null)" ] && [ "$tries" -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    # shellcheck disable=SC2086
    end $logins $sshd $mailer $mailbox $daemon $holder
    rm -rf "$demo" "$run"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

user=demo
password=demo
address=demo@example.org
mkdir -p "$demo/etc/pam.d" "$demo/home/$user" "$demo/bin" "$demo/mailbox"
for program in otpd otpd-mail otpd-login otpd-web otpctl; do install -m 755 "$built/$program" "$demo/bin"; done
install -m 644 "$built/libpam_otp.so" "$demo/pam_otp.so"
for file in passwd shadow group; do
    grep -v "^$user:\|^otpd:\|^otpd-mail:\|^otpd-web:" "/etc/$file" >"$demo/etc/$file"
    chmod --reference="/etc/$file" "$demo/etc/$file"
done
# crypt(5) of "demo".
hash='$6$otpddemo$JhCJm0McBlDE5miBWJDO4fFrbnBYjkiT3YI0bksfgcIGAVt3xqw0hgSxIuWG1zXR2EqJsF2UtBUVquTNlOY.H0'
cat >>"$demo/etc/passwd" <<EOF
$user:x:60900:60900::/home/$user:/bin/sh
otpd:x:60901:60901::/nonexistent:/usr/sbin/nologin
otpd-mail:x:60902:60902::/nonexistent:/usr/sbin/nologin
otpd-web:x:60903:60903::/nonexistent:/usr/sbin/nologin
EOF
printf '%s:%s:20000:0:99999:7:::\n' "$user" "$hash" >>"$demo/etc/shadow"
printf '%s:x:60900:\notpd:x:60901:\notpd-mail:x:60902:\notpd-web:x:60903:\n' "$user" >>"$demo/etc/group"
chown 60900:60900 "$demo/home/$user" "$demo/mailbox"
chmod 700 "$demo/home/$user" "$demo/mailbox"

for service in sshd otpd-web; do
    cat >"$demo/etc/pam.d/$service" <<EOF
auth     requisite  pam_unix.so
auth     required   $demo/pam_otp.so
account  required   $demo/pam_otp.so
account  required   pam_unix.so
session  required   pam_permit.so
EOF
done
grep -v pam_otp "$demo/etc/pam.d/otpd-web" >"$demo/etc/pam.d/otpd-web-password"
cat >"$demo/otpd.toml" <<EOF
issuer = "otpd demo"
[paths]
state = "$demo/state"
EOF

# The namespace lives as long as this process, which ends when the pipe does. Its /run is its own: there are the sockets,
# and no nscd that knows other users.
mkfifo "$demo/hold" "$demo/ready"
unshare -m --propagation private sh -c '
    set -e
    for file in passwd shadow group pam.d; do mount --bind "$1/etc/$file" "/etc/$file"; done
    mount --bind "$1/home" /home
    mount --bind "$2" /run
    echo ready >"$1/ready"
    exec cat "$1/hold" >/dev/null
' sh "$demo" "$run" &
holder=$!
exec 9<>"$demo/hold"
read -r _ <"$demo/ready"
inside() { nsenter -t "$holder" -m -- "$@"; }
ctl() { inside "$demo/bin/otpctl" "$@"; }

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

# sshd insists on this empty directory.
mkdir -m 755 "$run/sshd"
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

# --- its account page --------------------------------------------------------

nsenter -t "$holder" -m -- "$demo/bin/otpd-login" --listen 2>"$demo/login.log" &
logins=$!
until_up "$logins" grep ready "$demo/login.log" || fail "otpd-login did not start: $(cat "$demo/login.log")"
start_page() {
    printf 'listen = ["127.0.0.1:%s"]\n' "$1" >"$demo/web.toml"
    nsenter -t "$holder" -m -- "$demo/bin/otpd-web" --config "$demo/web.toml" 2>"$demo/web.log" &
    page=$!
    until_up "$page" grep ready "$demo/web.log"
}
page_port=8480
until start_page "$page_port"; do
    page_port=$((page_port + 1))
    [ "$page_port" -lt 8500 ] || fail "no free port from 8480 to 8499 on 127.0.0.1: $(cat "$demo/web.log")"
done

# --- with a person -----------------------------------------------------------

if [ "$check" = no ]; then
    say ""
    say "A private sshd listens on 127.0.0.1 port $port, and the account page is at http://127.0.0.1:$page_port."
    say "Bind a device for the user \"$user\":"
    say ""
    ctl bind "$user" --name phone
    say ""
    say "Now log in from another terminal (password: $password), and again with the same code:"
    say ""
    say "    ssh -p $port -o NoHostAuthenticationForLocalhost=yes $user@127.0.0.1"
    say ""
    say "Or sign in on the account page, as $user with the same password and the next code:"
    say ""
    say "    http://127.0.0.1:$page_port"
    say ""
    say "From another computer it is at that address too, after: ssh -L $page_port:127.0.0.1:$page_port THIS-BOX"
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

# A browser, as far as a page without script needs one: it keeps cookies, and sends the token of the form that it was shown.
cat >"$demo/browser.pl" <<'EOF'
use strict;
use IO::Socket::INET;
my $host = shift;
my %cookies;

sub request {
    my ($method, $path, %fields) = @_;
    my $encode = sub { my $text = shift; $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge; $text };
    my $body = join '&', map { "$_=" . $encode->($fields{$_}) } sort keys %fields;
    my $server = IO::Socket::INET->new(PeerAddr => $host) or die "$host: $@\n";
    print $server "$method $path HTTP/1.1\r\nHost: $host\r\nOrigin: http://$host\r\nConnection: close\r\n",
        'Cookie: ', join('; ', map { "$_=$cookies{$_}" } sort keys %cookies), "\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
    my ($head, $page) = split /\r\n\r\n/, join('', <$server>), 2;
    $cookies{$1} = $2 while $head =~ /^set-cookie: ([^=]+)=([^;]*)/gim;
    my ($status) = $head =~ /^HTTP\S+ (\d+)/;
    my ($to) = $head =~ /^location: (\S+)/im;
    return request('GET', $to) if $to;
    return ($path, $status, $page);
}

sub submit {
    my ($page, $path, %fields) = @_;
    my ($token) = $page =~ /name="form" value="([^"]*)"/ or die "no form at $path\n";
    return request('POST', $path, form => $token, %fields);
}

my ($path, $status, $page) = request('GET', '/');
($path, $status, $page) = submit($page, '/sign-in', user => $ENV{NAME}, password => $ENV{PASSWORD});
die "not asked for a code: $path, $status\n" unless $path eq '/sign-in/code';
($path, $status, $page) = submit($page, '/sign-in/code', answer => $ENV{CODE});
print "logged in\n" if $path eq '/account' and $status == 200 and index($page, $ENV{NAME}) >= 0;
EOF
sign_in() { NAME=$user PASSWORD=$password CODE=$1 perl "$demo/browser.pl" "127.0.0.1:$page_port"; }

bad=0
# expect login|sign_in WHAT accepted|refused CODE
expect() {
    way=$1 what=$2 wanted=$3 given=$4
    if [ "$("$way" "$given")" = 'logged in' ]; then got=accepted; else got=refused; fi
    if [ "$got" = "$wanted" ]; then verdict=ok; else verdict=WRONG bad=1; fi
    printf '  %-28s %-9s %s\n' "$what" "$got" "$verdict"
}
now=$(code)
wrong=$(printf '%06d' $(((${now#"${now%%[!0]*}"} + 500000) % 1000000)))
say "Logging in as $user through sshd on 127.0.0.1 port $port:"
expect login 'password and code' accepted "$now"
expect login 'the same code again' refused "$now"
expect login 'a wrong code' refused "$wrong"
expect login 'mail, and the code from it' accepted mail
expect login 'the same code again' refused "$("$demo/mailed-code" 'Your login code')"
say "Signing in as $user on the account page, http://127.0.0.1:$page_port:"
# The present one is spent.
next=$(code 30)
expect sign_in 'password and code' accepted "$next"
expect sign_in 'the same code again' refused "$next"
[ "$bad" = 0 ] || fail "not as it should be; the daemons said: $(cat "$demo/otpd.log" "$demo/mail.log" "$demo/login.log" \
    "$demo/web.log")"
say "All as it should be."
