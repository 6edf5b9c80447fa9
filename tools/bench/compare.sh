#!/bin/sh
# Measures anyfs-lvm beside the host's filesystem and beside other ways to keep files in SQLite, all in the same run, and
# writes src/docs/performance.md with its plots.
#
#   tools/bench/compare.sh DIR [OPTION..]        for example: tools/bench/compare.sh /mnt/disk --full
#
# DIR should lie on a quiet disk of a quiet machine; about 15 GiB are used there for a time with --full, and 70 GiB for its
# curves (--no-curves leaves them out). Run it as root for cold figures of names and inodes, too. Other options: --quick,
# --rounds N, --mib N, --files N, --only WORD,.. (see --help). With OUT set, the page and the plots go to that folder.
set -eu

dir=${1:?usage: tools/bench/compare.sh DIR [OPTION..]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${OUT:-$root/src/docs}

build() { (cd "$root/tools/bench/$1" && cargo build --locked --release --quiet); }
# Where a build ends up when CARGO_TARGET_DIR does not say.
built() {
    target=${CARGO_TARGET_DIR:-$root/tools/bench/$1/target}
    echo "$target/release/$2"
}

build .
build litebox
exec "$(built . anyfs-lvm-compare)" --dir "$dir" --out "$out" --litebox "$(built litebox anyfs-lvm-compare-litebox)" \
    --command "tools/bench/compare.sh DIR${*:+ $*}" "$@"
