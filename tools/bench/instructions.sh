#!/usr/bin/env bash
# Counts the instructions of the hot paths under callgrind and compares them with recorded figures: a guard against
# regressions that no noise of the machine can hide. From run to run the counts differ by less than 0.3 %.
#
#   tools/bench/instructions.sh                  compare with tools/bench/instructions.txt
#   tools/bench/instructions.sh --against REV    compare with the same paths of another commit, built here
#   tools/bench/instructions.sh --record         write tools/bench/instructions.txt anew
#
# Another compiler or processor counts differently: the recorded figures are compared only where rustc is the one that
# they were recorded with; --against holds everywhere. A path that takes more than TOLERANCE (2) percent more fails; one
# that takes that much less is said, so that it can be recorded. Paths can be named in PATHS. Exit code 0 nothing wrong, 1
# a path got slower, 2 wrong arguments.
set -euo pipefail
cd "$(dirname "$0")/../.."

TOLERANCE=${TOLERANCE:-2}
PATHS=${PATHS:-write read random overwrite append create stat delete lookup small}
recorded=tools/bench/instructions.txt
work=$(mktemp -d)
trap 'git worktree remove --force "$work/tree" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

usage() {
    echo 'usage: tools/bench/instructions.sh [--record | --against REV]' >&2
    exit 2
}

case ${1:-} in
'') mode=compare ;;
--record) mode=record && [ $# -eq 1 ] || usage ;;
--against) mode=against && [ $# -eq 2 ] || usage ;;
*) usage ;;
esac

if ! command -v valgrind >/dev/null; then
    echo 'SKIPPED: instruction counts: valgrind is missing (apt-get install valgrind)'
    exit 0
fi
compiler="$(rustc --version)"
if [ "$mode" = compare ] && ! grep -qxF "# $compiler" "$recorded"; then
    echo "SKIPPED: instruction counts: recorded with $(sed -n 's/^# \(rustc .*\)/\1/p' "$recorded"), here is $compiler (use --against REV)"
    exit 0
fi

# count FILE: builds what is in this folder, and writes a line for each path: its name and its count.
count() {
    local target path out
    cargo build --locked --quiet --release -p anyfs-lvm-tools
    target=$(cargo metadata --locked --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    # Kept apart: the other commit may be built over it.
    cp "$target/release/anyfs-lvm" "$work/command"
    for path in $PATHS; do
        if ! out=$(valgrind --tool=callgrind --callgrind-out-file="$work/callgrind" \
            --toggle-collect='*bench::guard::measured*' "$work/command" bench --dir "$work" --guard "$path" 2>&1); then
            echo "$out" >&2
            echo "$path: failed under valgrind" >&2
            exit 1
        fi
        echo "$path $(echo "$out" | sed -n 's/.*Collected : //p')"
    done >"$1"
    # A path that nobody saw begin has not been counted.
    if ! awk 'NF != 2 || $2 < 1000 { exit 1 }' "$1"; then
        echo 'a path was not counted:' >&2
        cat "$1" >&2
        exit 1
    fi
}

count "$work/now"
case $mode in
record)
    { echo "# $compiler" && cat "$work/now"; } >"$recorded"
    cat "$recorded"
    exit
    ;;
compare) grep -v '^#' "$recorded" >"$work/before" ;;
against)
    git worktree add --quiet --detach "$work/tree" "$2"
    (cd "$work/tree" && count "$work/before")
    ;;
esac
awk -v tolerance="$TOLERANCE" '
    NR == FNR { before[$1] = $2; next }
    !($1 in before) { printf "%-10s %12d  not recorded\n", $1, $2; counted++; next }
    {
        percent = 100 * ($2 - before[$1]) / before[$1]; counted++
        word = percent > tolerance ? "SLOWER" : percent < -tolerance ? "faster: record it" : "ok"
        slower += percent > tolerance
        printf "%-10s %12d %12d  %+6.2f %%  %s\n", $1, before[$1], $2, percent, word
    }
    END {
        printf "%d paths counted, %d slower than before by more than %s %%\n", counted, slower, tolerance
        exit slower > 0
    }' "$work/before" "$work/now"
