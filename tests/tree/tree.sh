# shellcheck shell=bash
# Bare Debian trees to install and boot things in. Sourced, with $target set; needs root.
#
#   tree_open SUITE          a fresh tree of that release ("bookworm", "trixie") in $tree
#   tree_install PACKAGE...  installs them there
#   tree_run COMMAND...      runs it in $tree without booting, with the host's network; $tree_options are nspawn's
#   tree_boot                boots systemd or sysvinit in $tree, with a loopback of its own and no other network
#   tree_in COMMAND...       runs it as root in the booted tree
#   tree_log                 prints what otpd and sshd said in the booted tree
#   tree_halt                shuts it down
#   tree_close               halts and removes it; for the EXIT trap, harmless when there is nothing
#
# Every mount belongs to a namespace that ends with its process, so none can stay behind. The bare tree is made once
# and kept as $target/trees/SUITE.tar, fetched packages in SUITE.debs; remove the former to have a newer one.

trees="${target:?}/trees"
tree='' tree_debs='' tree_nspawn='' tree_leader=''
tree_options=()

# The host's own Debian mirror and proxy, if it has one.
tree_mirror() {
    local mirror
    # shellcheck disable=SC2016 # apt's variables
    mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's|^Debian \(http://.*[^/]\)/*$|\1|p' | head -n 1)
    echo "${mirror:-http://deb.debian.org/debian}"
}
tree_proxy() {
    local proxy=''
    eval "$(apt-config shell proxy Acquire::http::Proxy)"
    [ "$proxy" = DIRECT ] || echo "$proxy"
}

tree_make() {
    local suite=$1 mirror
    [ ! -e "$trees/$suite.tar" ] || return 0
    mirror=$(tree_mirror)
    http_proxy=$(tree_proxy) unshare --mount --pid --fork --kill-child --mount-proc \
        debootstrap --variant=minbase "$suite" "$tree" "$mirror" &&
        tar -C "$tree" --one-file-system -cf "$tree.tar" . && mv "$tree.tar" "$trees/$suite.tar" && return
    rm -f "$tree.tar"
    echo "no tree of $suite from $mirror" >&2
    return 1
}

tree_open() {
    local suite=$1
    mkdir -p "$trees/$suite.debs" || return
    tree=$(mktemp -d "$trees/$suite.XXXXXX") && chmod 755 "$tree" || return
    tree_make "$suite" || return
    rm -rf "$tree" && mkdir -m 755 "$tree" && tar -C "$tree" -xf "$trees/$suite.tar" || return
    echo "$suite" >"$tree/etc/hostname"
    echo "127.0.0.1 localhost $suite" >"$tree/etc/hosts"
    tree_options=("--hostname=$suite")
    tree_debs="$trees/$suite.debs"
    find "$tree_debs" -name '*.deb' -exec cp -lut "$tree/var/cache/apt/archives" {} +
}

# Waited for in the background, so that a signal to the script is not kept waiting.
tree_run() {
    systemd-nspawn --quiet --register=no --keep-unit --console=pipe --directory="${tree:?}" --resolv-conf=replace-host \
        --setenv=http_proxy="$(tree_proxy)" --setenv=DEBIAN_FRONTEND=noninteractive "${tree_options[@]}" "$@" </dev/null &
    tree_nspawn=$!
    local status=0
    wait "$tree_nspawn" || status=$?
    tree_nspawn=''
    return "$status"
}

tree_install() { tree_run sh -ec 'apt-get -qq update; apt-get -qq install -y --no-install-recommends "$@"' sh "$@"; }

# With the one cgroup hierarchy of a real machine, whatever the host has; and as there, anybody may ask the clock how it is
# and shut themselves in.
tree_boot() {
    local calls='adjtimex clock_adjtime landlock_create_ruleset landlock_add_rule landlock_restrict_self'
    UNIFIED_CGROUP_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit --console=pipe --directory="${tree:?}" \
        --private-network --system-call-filter="$calls" --boot </dev/null >"$tree.boot" 2>&1 &
    tree_nspawn=$!
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        kill -0 "$tree_nspawn" 2>/dev/null || break
        tree_leader=$(cat "/proc/$tree_nspawn/task/$tree_nspawn/children" 2>/dev/null)
        tree_leader=${tree_leader%% *}
        tree_is_up && return
        sleep 0.1
    done
    echo "the tree did not boot:" >&2
    cat "$tree.boot" >&2
    [ -z "$tree_leader" ] || tree_in systemctl --no-pager --failed >&2
    return 1
}

# Before its init runs, the leader has not left the host's namespaces yet.
tree_is_up() {
    case "$(cat "/proc/$tree_leader/comm" 2>/dev/null)" in
        systemd) tree_in systemctl is-system-running --wait >/dev/null 2>&1 ;;
        # The runlevel is said before its scripts have run.
        init) [ "$(tree_in runlevel 2>/dev/null)" = 'N 2' ] && ! tree_in pgrep -f '/etc/init.d/rc |startpar' >/dev/null ;;
        *) false ;;
    esac
}

tree_in() {
    nsenter --target "$tree_leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@" </dev/null
}

# What otpd and sshd said since the tree booted.
tree_log() {
    tree_in sh -c 'journalctl --no-pager --boot --lines 200 --unit "otpd*" --unit ssh || cat /run/otpd.log' 2>/dev/null
}

# nspawn takes SIGTERM as an order to shut the tree down, in words that systemd understands.
tree_halt() {
    local nspawn=$tree_nspawn leader=$tree_leader
    [ -n "$nspawn" ] || return 0
    if [ "$(cat "/proc/$leader/comm" 2>/dev/null)" = init ]; then tree_in telinit 0; else kill "$nspawn" 2>/dev/null; fi
    tree_nspawn='' tree_leader=''
    # A tree that does not obey goes with its first process.
    timeout 20 tail --pid="$nspawn" -f /dev/null || kill -KILL "${leader:-$nspawn}" "$nspawn"
    wait "$nspawn"
}

tree_close() {
    tree_halt
    [ -z "$tree_debs" ] || find "$tree/var/cache/apt/archives" -name '*.deb' -exec cp -lut "$tree_debs" {} +
    [ -z "$tree" ] || rm -rf --one-file-system "$tree" "$tree".*
    tree='' tree_debs=''
}
