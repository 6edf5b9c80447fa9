#!/usr/bin/env bash
# fsx on a mounted volume: random reads, writes, maps, cuts, holes and copies of one file, compared with what they must give.
#
#   tools/fsx.sh COMMAND [OPERATIONS [SEED [MOUNT-OPTIONS]]]
#
# COMMAND is the anyfs-lvm command. fsx is the one in PATH, or is installed by its name beside COMMAND. The last line says
# how it went, behind SKIPPED: when it could not be run here; the exit code is not 0 when something was wrong.
set -euo pipefail

command=$(realpath "$1")
operations=${2:-50000}
seed=${3:-1}
options=${4:-rw}

skip() {
    printf 'SKIPPED: fsx on a mount: %s\n' "$1"
    exit 0
}

{ : <>/dev/fuse; } 2>/dev/null || skip '/dev/fuse cannot be opened'
[ "$(id -u)" -eq 0 ] || command -v fusermount3 >/dev/null || skip 'there is no fusermount3 (package fuse3)'
PATH=$PATH:$(dirname "$command")/fsx/bin
if ! command -v fsx >/dev/null; then
    cargo install --quiet --locked --root "$(dirname "$command")/fsx" fsx@0.3.2 ||
        skip 'the crate fsx cannot be installed here'
fi

dir=$(mktemp -d)
export ANYFS_LVM_SYSTEM_DIR=$dir/sys
clean() {
    local status=$?
    "$command" umount "$dir/mnt" 2>/dev/null || "$command" umount -l "$dir/mnt" 2>/dev/null || true
    if [ "$status" -eq 0 ]; then rm -rf "$dir"; else printf 'what is left is in %s\n' "$dir" >&2; fi
}
trap clean EXIT

mkdir "$dir/pool" "$dir/mnt"
"$command" vgcreate --setphysicalvolumesize 256m v "$dir/pool/a.db"
"$command" lvcreate -n home -L 192m v
cat >"$dir/fsx.toml" <<'TOML'
flen = 1048576
[opsize]
max = 65536
[weights]
close_open = 1
invalidate = 1
mapread = 100
mapwrite = 100
read = 100
write = 100
truncate = 60
fsync = 5
fdatasync = 5
punch_hole = 20
posix_fallocate = 10
sendfile = 20
copy_file_range = 50
TOML
"$command" mount -o "$options" v/home "$dir/mnt"
fsx -q -N "$operations" -S "$seed" -f "$dir/fsx.toml" -P "$dir" "$dir/mnt/file"
"$command" umount "$dir/mnt"
"$command" check --data v/home
printf '%d operations of fsx with seed %d on a mount with %s, nothing wrong\n' "$operations" "$seed" "$options"
