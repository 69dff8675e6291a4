# shellcheck shell=bash
# The source as packages are built from it: this checkout, with the crates of Cargo.lock in vendor/. Sourced by
# build-deb.sh and build-rpm.sh, at the top of the checkout.

# find_cargo: puts cargo and rustc themselves first. (rustup's stand-ins look for a toolchain below HOME, and package
# builds have a HOME of their own.)
find_cargo() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:/usr/local/cargo/bin:$PATH"
    command -v cargo >/dev/null || {
        echo "the Rust toolchain is missing: https://rustup.rs (or your distribution, version 1.89 or newer)" >&2
        return 1
    }
    PATH="$(rustc --print sysroot)/bin:$PATH"
}

# make_source DIRECTORY: makes it there. Fetches crates that are not in cargo's cache.
make_source() {
    rm -rf "$1"
    mkdir -p "$1"
    tar --exclude=./.git --exclude=./target --exclude-caches-all -c . | tar -C "$1" -x
    [ ! -d "$1/vendor" ] || return 0
    cargo vendor --quiet --locked --versioned-dirs "$1/vendor" >/dev/null
    prune "$1/vendor"
}

# Crates for other systems are needed by name only, and nothing prebuilt may be in a source.
prune() {
    local crate
    for crate in "$1"/{winapi,windows}*; do
        find "$crate" -mindepth 1 ! -name Cargo.toml ! -name .cargo-checksum.json -delete
        mkdir "$crate/src"
        touch "$crate/src/lib.rs"
    done
    find "$1" -regex '.*\.\(a\|lib\|dll\|exe\|pdb\|so\|o\|wasm\|jar\)' -delete
    # Without the sums of single files; that of the whole crate stays, and cargo compares it with Cargo.lock.
    sed -i 's/"files":{[^}]*}/"files":{}/' "$1"/*/.cargo-checksum.json
}
