#!/bin/bash
# Read by scripts that need a program without its package being installed here: as a package it would serve this machine.

# unpack PACKAGE: what it holds, below $target/PACKAGE, without installing or configuring it.
unpack() {
    local download status fresh="${target:?}/$1.new"
    [ ! -d "$target/$1" ] || return 0
    rm -rf "$fresh"
    download=$(mktemp -d)
    (cd "$download" && apt-get -qq update >/dev/null && apt-get -qq -o APT::Sandbox::User=root download "$1") &&
        dpkg-deb -x "$download/$1"_*.deb "$fresh" && chmod -R ug-s "$fresh" && mv "$fresh" "$target/$1"
    status=$?
    rm -rf "$download"
    return $status
}
