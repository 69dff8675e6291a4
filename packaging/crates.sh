#!/bin/bash
# Prints which crates are linked into a package of this workspace, and under which licences, with their texts; each
# text once.
#
#   packaging/crates.sh VENDOR PACKAGE...     VENDOR: where "cargo vendor --versioned-dirs" put the crates
set -euo pipefail
vendor=$1
shift

packages=()
for package in "$@"; do packages+=(-p "$package"); done
# Build scripts and macros run here and are no part of the program, but what a macro writes may be: all of it, then.
mapfile -t crates < <(cargo tree --locked --offline --edges normal,build --prefix none "${packages[@]}" \
    --format '{p}|{l}' | grep -E '^[^ |]+ v' | grep -v ' (/' | sed 's/ (proc-macro)//; s/ (\*)$//' | sort -u)

declare -A first
for crate in "${crates[@]}"; do
    read -r name version <<<"${crate%%|*}"
    directory="$vendor/$name-${version#v}"
    printf '%s\n%s %s: %s\n' "$(printf '=%.0s' {1..80})" "$name" "${version#v}" "${crate#*|}"
    found=no
    while read -r text; do
        found=yes
        sum=$(tr -s '[:space:]' ' ' <"$text" | sha256sum)
        if [ -n "${first[$sum]-}" ]; then
            printf '\n%s: as of %s\n' "${text##*/}" "${first[$sum]}"
        else
            first[$sum]="$name, ${text##*/}"
            printf '\n--- %s\n\n' "${text##*/}"
            cat "$text"
        fi
    done < <(find "$directory" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'copyright*' \
        -o -iname 'unlicense*' -o -iname 'notice*' \) | sort)
    [ $found = yes ] || grep -m1 '^authors' "$directory/Cargo.toml" || true
done
