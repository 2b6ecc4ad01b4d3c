#!/bin/sh
# Removes one safety rule at a time from a copy of the tree and tells what the model check says, after how many states.
# Usage: mutants.sh [NAME...]   names of patches in ../mutants; without any, those that the check can see.
# A mutant that survives, or does not build, ends the script with 1. Nothing in the tree itself is changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$root/target/mutants}
export CARGO_TARGET_DIR

[ $# -gt 0 ] || set -- acknowledged-before-durable commit-of-an-earlier-term majority-minus-one \
    own-log-counted-before-durable vote-for-a-shorter-log vote-given-twice vote-not-recorded vote-sent-before-durable
(cd "$root" && git ls-files -z | tar -c --null -T - -f -) | tar -x -f - -C "$copy"

survivors=0
printf '%-34s %-10s %s\n' mutant check 'what breaks'
for name in "$@"; do
    (cd "$copy" && patch -s -p1 <"$here/../mutants/$name.patch")
    log=$copy/$name.log
    if ! (cd "$copy" && cargo test -q -p synod-protocols --test model --no-run) >"$log" 2>&1; then
        printf '%-34s %-10s %s\n' "$name" - 'does not build'
        survivors=1
    elif (cd "$copy" && cargo test -q -p synod-protocols --test model -- few_events --nocapture &&
        SYNOD_MODEL=figure-8 cargo test -q -p synod-protocols --test model -- --ignored more_events --nocapture) >"$log" 2>&1
    then
        printf '%-34s %-10s %s\n' "$name" - survived
        survivors=1
    else
        rule=$(grep -m 1 ' is broken after ' "$log" || true)
        states=$(grep "^${rule%%:*}: .* unique" "$log" | head -n 1)
        printf '%-34s %-10s %s\n' "$name" "${rule%%:*}" "${rule#*: }; ${states#*: }"
    fi
    (cd "$copy" && patch -s -R -p1 <"$here/../mutants/$name.patch")
done
exit $survivors
