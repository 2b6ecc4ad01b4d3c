#!/bin/sh
# Removes one safety rule at a time from a copy of the tree and tells which seed of the simulation notices.
# Usage: run.sh [NAME...]   SEEDS=2000 sets how many seeds a mutant may survive; all share one target directory.
# A mutant that survives, or does not build, ends the script with 1. Nothing in the tree itself is changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
seeds=${SEEDS:-2000}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$root/target/mutants}
export CARGO_TARGET_DIR

[ $# -gt 0 ] || set -- $(cd "$here" && ls *.patch | sed 's/\.patch$//')
(cd "$root" && git ls-files -z | tar -c --null -T - -f -) | tar -x -f - -C "$copy"

survivors=0
printf '%-34s %-10s %s\n' mutant seed 'noticed by'
for name in "$@"; do
    (cd "$copy" && patch -s -p1 <"$here/$name.patch")
    log=$copy/$name.log
    if ! (cd "$copy" && cargo test -q -p synod-protocols --test simulation --no-run) >"$log" 2>&1; then
        printf '%-34s %-10s %s\n' "$name" - 'does not build'
        survivors=1
    elif (cd "$copy" && SYNOD_SEEDS=0..$seeds cargo test -q -p synod-protocols --test simulation no_seed) >"$log" 2>&1; then
        printf '%-34s %-10s %s\n' "$name" - "survived $seeds seeds"
        survivors=1
    else
        seed=$(sed -n 's/.*SYNOD_SEEDS=\([0-9]*\)\.\..*/\1/p' "$log" | head -n 1)
        cause=$(sed -n "s/^seed $seed: \(.*\) broken at.*/\1/p" "$log" | head -n 1)
        printf '%-34s %-10s %s\n' "$name" "${seed:-?}" "${cause:-an assertion of the machine}"
    fi
    (cd "$copy" && patch -s -R -p1 <"$here/$name.patch")
done
exit $survivors
