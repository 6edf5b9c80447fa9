#!/bin/sh
# The comparison's own checks, which tools/test.sh leaves out because they need crates that nothing else needs: format,
# lints, tests of both crates, and a comparison of seconds with everybody in it, in the temporary folder.
set -eu
cd "$(dirname "$0")"

for crate in . litebox; do
    (
        cd "$crate"
        cargo fmt --check
        cargo clippy --locked --all-targets -- -D warnings
        cargo test --locked
    )
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
OUT="$work/out" ./compare.sh "$work" --quick --mib 2 --files 20 --no-curves
# Every rival has a column, and some rows have figures in all of them.
grep -q '^| what | anyfs-lvm | 4 KiB rows | 64 KiB rows | one blob | liteboxfs |$' "$work/out/performance.md"
grep -Eq '^\| sequential write \+ sync, all PVs( \| [0-9.]+){5} \|$' "$work/out/performance.md"
[ "$(ls "$work")" = out ] || { echo "something stayed behind: $(ls "$work")" >&2 && exit 1; }
echo 'comparison: all checks passed'
