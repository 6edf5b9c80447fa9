#!/bin/sh
# Puts one large file and many small ones through the release command, in and out, and compares every byte.
#
#   tools/bench-big.sh DIR [GIB [FILES]]        (default 10 GiB and 200,000 files of up to 8 KiB)
#
# Works in a new folder below DIR, which is removed at the end; it needs room for about three times the large file.
# Prints for each step its time, its rate and the command's peak memory. Uses an existing command when ANYFS_LVM names
# one, else builds it.
set -eu

dir=${1:?usage: tools/bench-big.sh DIR [GIB [FILES]]}
gib=${2:-10}
files=${3:-200000}
root=$(cd "$(dirname "$0")/.." && pwd)

command=${ANYFS_LVM:-}
if [ -z "$command" ]; then
    (cd "$root" && cargo build --release -p anyfs-lvm-tools)
    command=${CARGO_TARGET_DIR:-$root/target}/release/anyfs-lvm
fi

work=$(mktemp -d "$dir/bench-big-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
pool=$work/pool
mkdir "$pool" "$work/in" "$work/out"
failed=0

lvm() { "$command" --pool "$pool" "$@"; }

# step NAME BYTES FILES ARGUMENTS..: runs the command, and says how long it took and what memory it had.
step() {
    name=$1 bytes=$2 count=$3
    shift 3
    /usr/bin/time -f '%e %M' -o "$work/time" "$command" --pool "$pool" "$@"
    awk -v name="$name" -v bytes="$bytes" -v count="$count" '{
        s = $1 > 0 ? $1 : 0.01
        printf "%-28s %8.1f s %8.1f MiB/s %9.0f files/s   peak %6.1f MiB\n", name, $1, bytes / 1048576 / s, count / s, $2 / 1024
    }' "$work/time"
}

# same NAME A B: compares two files, each with one SHA-256 in its first column.
same() {
    if [ "$2" = "$3" ]; then
        echo "$1: identical"
    else
        echo "$1: DIFFERENT" >&2
        failed=1
    fi
}

big=$((gib * 1024 * 1024 * 1024))
echo "making $gib GiB and $files files ..."
# Bytes that no layer could shorten, the same in each run.
keystream() { openssl enc -aes-128-ctr -nosalt -pass pass:anyfs-lvm -pbkdf2 -in /dev/zero 2>/dev/null; }
keystream | head -c "$big" > "$work/in/big"
mkdir "$work/in/small"
python3 - "$work/in/small" "$files" <<'PYTHON'
import os, random, sys
base, count = sys.argv[1], int(sys.argv[2])
source = random.Random(7)
pool = source.randbytes(1 << 20)
for n in range(count):
    folder = os.path.join(base, f"{n // 1000:04d}")
    if n % 1000 == 0:
        os.mkdir(folder)
    size, at = source.randrange(8192), source.randrange(len(pool) - 8192)
    with open(os.path.join(folder, f"file-{n:07d}"), "wb") as file:
        file.write(pool[at:at + size])
PYTHON
small=$(find "$work/in/small" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%d", s }')
sync

capacity=$((gib + 4))g
"$command" pvcreate -q --setphysicalvolumesize "$capacity" "$pool/disk1.db" "$pool/disk2.db"
lvm vgcreate -q vg "$pool/disk1.db" "$pool/disk2.db"
lvm lvcreate -q -n big -l 100%FREE vg

step "large file in" "$big" 1 cp "$work/in/big" vg/big:/big
step "large file, sha256sum" "$big" 1 sha256sum vg/big:/big > "$work/sum"
grep 'peak' "$work/sum"
same "large file inside" "$(sha256sum < "$work/in/big" | cut -c1-64)" "$(grep -v peak "$work/sum" | cut -c1-64)"
step "large file out" "$big" 1 cp vg/big:/big "$work/out/big"
cmp "$work/in/big" "$work/out/big" && same "large file outside" ok ok || same "large file outside" ok no
rm "$work/out/big" "$work/in/big"

step "small files in" "$small" "$files" cp -r "$work/in/small" vg/big:/small
step "small files out" "$small" "$files" cp -r vg/big:/small "$work/out/small"
sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); }
same "small files outside" "$(sums "$work/in/small")" "$(sums "$work/out/small")"
lvm df vg/big || failed=1
exit "$failed"
