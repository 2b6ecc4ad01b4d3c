#!/bin/sh
# Removes one rule at a time from a copy of the tree and tells what notices: a seed of a sweep, counted from 0, or a test.
# Usage: run.sh [NAME...]   SEEDS=2000 sets how many seeds a mutant may survive; all share one target directory.
# A patch begins with two lines: "rule:" and, in words, the rule that it takes out; "by:" and what has to notice, which is
# "sweep PROFILE", "tests" (those of the crate, and its scenarios) or "runtime TEST" (a test binary of the runtime, whose patches are in
# runtime/tests/mutants). A mutant that survives, or does not build, ends the script with 1.
# Nothing in the tree itself is changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
seeds=${SEEDS:-2000}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
CARGO_TARGET_DIR=${MUTANTS_TARGET_DIR:-$root/target/mutants}
export CARGO_TARGET_DIR

runtime=$root/runtime/tests/mutants
[ $# -gt 0 ] || set -- $(ls "$here" "$runtime" | sed -n 's/\.patch$//p')
(cd "$root" && git ls-files -z | tar -c --null -T - -f -) | tar -x -f - -C "$copy"

# Succeeds when nothing notices.
sweep() {
    SYNOD_PROFILE=$1 SYNOD_SEEDS=0..$seeds cargo test -q -p synod-protocols --test simulation no_seed
}

unit() {
    cargo test -q -p synod-protocols --lib --test scenarios
}

acted() {
    cargo test -q -p synod --test "$1"
}

survivors=0
printf '%-36s %-10s %-8s %s\n' mutant profile seed 'noticed by'
for name in "$@"; do
    patch=$here/$name.patch
    [ -f "$patch" ] || patch=$runtime/$name.patch
    by=$(sed -n 's/^by: //p' "$patch")
    kind=${by%% *}
    what=${by#* }
    case $kind in
        sweep) build="-p synod-protocols --test simulation" run=sweep ;;
        tests) build='-p synod-protocols --lib --test scenarios' run=unit what=- ;;
        runtime) build="-p synod --test $what" run=acted ;;
        *) echo "$name.patch does not say what has to notice" >&2; exit 2 ;;
    esac
    log=$copy/$name.log
    (cd "$copy" && patch -s -p1 <"$patch")
    if ! (cd "$copy" && cargo test -q $build --no-run) >"$log" 2>&1; then
        printf '%-36s %-10s %-8s %s\n' "$name" - - 'does not build'
        survivors=1
    elif (cd "$copy" && $run "$what") >"$log" 2>&1; then
        printf '%-36s %-10s %-8s %s\n' "$name" "$what" - 'survived'
        survivors=1
    elif [ "$kind" != sweep ]; then
        printf '%-36s %-10s %-8s %s\n' "$name" "$what" - "$(sed -n 's/^test \(.*\) ... FAILED$/\1/p; s/^---- \(.*\) stdout ----$/\1/p' "$log" | head -n 1)"
    else
        seed=$(sed -n 's/.*SYNOD_SEEDS=\([0-9]*\)\.\..*/\1/p' "$log" | head -n 1)
        cause=$(sed -n "s/^seed $seed: \(.*\) broken at.*/\1/p" "$log" | head -n 1)
        printf '%-36s %-10s %-8s %s\n' "$name" "$what" "${seed:-?}" "${cause:-?}"
    fi
    (cd "$copy" && patch -s -R -p1 <"$patch")
done
exit $survivors
