# shellcheck shell=bash disable=SC2154 # of run.sh and tree.sh
# Building, installing and upgrading the packages. Sourced by deb.sh and init.sh.

debs() { find "$target/deb" -maxdepth 1 -name '*.deb'; }

# What they are built from: this tree as it lies here.
source_sum() {
    tar --sort=name --mtime=@0 --owner=0 --group=0 --exclude=./.git --exclude=./target --exclude-caches-all -c . | sha256sum
}

# It takes minutes, so whoever has just done it for one release of Debian does not do it again for the next.
build() {
    local sum
    sum=$(source_sum)
    [ "$(cat "$target/deb.sum" 2>/dev/null)" != "$sum" ] || [ "$(debs | wc -l)" != 3 ] || return 0
    rm -f "$target/deb.sum"
    packaging/build-deb.sh && [ "$(debs | wc -l)" = 3 ] && echo "$sum" >"$target/deb.sum"
}

# The packages lie where Alice built them.
lay_out() { rm -rf "$tree/home/alice/otpd/target" && install -D -m 644 -t "$tree/home/alice/otpd/target/deb" "$1"/*.deb; }

install_packages() { alice "$(readme 1 | grep 'apt install.*deb/')"; }

# The same packages with a higher version, as if built later.
make_next() {
    local deb package next="$tree.next"
    mkdir "$next" "$next.debs" || return
    for deb in $(debs); do
        package="$next/$(basename "$deb")"
        # They depend on each other's very version.
        dpkg-deb -R "$deb" "$package" &&
            sed -i -e 's/^Version: .*/&+next/' -e 's/(= [^)]*/&+next/g' "$package/DEBIAN/control" &&
            dpkg-deb --root-owner-group -b "$package" "$next.debs" || return
    done
    lay_out "$next.debs"
    rm -rf "$next" "$next.debs"
}

