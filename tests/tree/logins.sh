# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# People of a tree and their logins by SSH. Sourced by run.sh.

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

# The commands and files of one part of the README's installation: a step's number, or a title.
readme() { sed -n "/^### \([0-9]\. \)\?$1/,/^##* [^#]*$/{s/^    //p}" README.md; }

alice() { tree_in runuser --login alice --command "set -exo pipefail; cd otpd; $1"; }

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

new_user() { tree_in sh -ec 'useradd --create-home "$1"; echo "$1:xyzzy" | chpasswd' sh "$1"; }

# The password, then the code that stands in CODE.
bring_typist() {
    cat >"$tree/usr/local/bin/typist" <<'END'
#!/bin/sh
case "$1" in *assword*) echo xyzzy ;; *) echo "$CODE" ;; esac
END
    chmod 755 "$tree/usr/local/bin/typist"
}

# login WANTED USER [CODE]: by SSH; "accepted" or "refused".
login() {
    # shellcheck disable=SC2016 # for the shell in the tree
    expect "$1" tree_in SSH_ASKPASS=/usr/local/bin/typist SSH_ASKPASS_REQUIRE=force CODE="${3-}" sh -c '
        ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o NumberOfPasswordPrompts=1 \
            "$1@127.0.0.1" "echo accepted" 2>/dev/null || echo refused' sh "$2"
}

# Somebody new binds a device for themselves, logs in with it once, and not without it.
people=0
guards_logins() {
    local who=user$((++people))
    new_user "$who" && bind_device "$who" runuser -u "$who" -- || return
    local good
    good=$(code "$who")
    login accepted "$who" "$good" && login refused "$who" "$good" && login refused "$who" ''
}

tell_mail_the_server() {
    sed -i -e 's/^transport = .*/transport = "smtp"/' -e 's/^from = .*/from = "nas@example.org"/' \
        -e 's/^host = .*/host = "127.0.0.1"/' "$tree/etc/otpd/mail.toml"
}

# As the README says, but that the editor is sed. There is no server: it tried, and says so.
mail_by_smtp() {
    local said
    ! tree_in systemctl is-active otpd-mail && tell_mail_the_server &&
        alice "$(readme 2 | grep 'systemctl.*otpd-mail')" && said=$(alice "$(readme 2 | grep 'otpctl mail test')" 2>&1)
    echo "$said"
    grep -qi 'refused' <<<"$said" && expect otpd-mail tree_in stat -c %U "/proc/$(property MainPID otpd-mail)"
}

property() { tree_in systemctl show --property "$1" --value "${2:-otpd}"; }
