#!/bin/sh
# Puts whole trees through the release command, by cp -a and as tar streams, both ways, and compares everything.
#
#   tools/bench-tree.sh DIR [FILES [TREE]]        (default 80,000 files, and the sources of this project's dependencies)
#
# One tree is made up: the size of a Linux kernel's, with a source tree's distribution of sizes, symbolic and hard links,
# extended attributes, holes, odd modes, foreign owners (for root) and times to the nanosecond. The other is TREE.
# Works in a new folder below DIR, which is removed at the end; it needs room for about eight times the larger tree.
# Prints for each step its time and peak memory, beside what the host's own cp and tar take for the same. Needs GNU tar
# and Python 3. Uses an existing command when ANYFS_LVM names one, else builds it.
set -eu

dir=${1:?usage: tools/bench-tree.sh DIR [FILES [TREE]]}
files=${2:-80000}
tree=${3:-}
root=$(cd "$(dirname "$0")/.." && pwd)

command=${ANYFS_LVM:-}
if [ -z "$command" ]; then
    (cd "$root" && cargo build --release -p anyfs-lvm-tools)
    command=${CARGO_TARGET_DIR:-$root/target}/release/anyfs-lvm
fi
if [ -z "$tree" ]; then
    # One folder per registry; the largest is the real one.
    tree=$(du -s "${CARGO_HOME:-$HOME/.cargo}"/registry/src/* | sort -n | tail -n 1 | cut -f2)
fi

work=$(mktemp -d "$dir/bench-tree-XXXXXX")
# Directories without rights for their owner must not survive.
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
pool=$work/pool
mkdir "$pool"
failed=0

# step NAME SHELL-TEXT: runs it with $1 set to the command, and says how long it took and what memory one process had.
step() {
    name=$1
    /usr/bin/time -f '%e %M' -o "$work/time" sh -ec "$2" sh "$command" || { echo "$name: FAILED" >&2 && failed=1; }
    tail -n 1 "$work/time" | awk -v name="$name" -v count="$count" -v bytes="$bytes" '{
        s = $1 > 0 ? $1 : 0.01
        printf "  %-26s %7.2f s %8.1f MiB/s %8.0f files/s   peak %6.1f MiB\n", name, s, bytes / 1048576 / s, count / s, $2 / 1024
    }'
}

# clear: removes what came out, so that the next step does not pay for it.
clear() {
    rm -rf "$out"
    sync -f "$work"
}

# same NAME A B: compares two trees in everything.
same() {
    if "$root/tools/same-tree.py" "$2" "$3" > "$work/differences"; then
        echo "    $1: identical"
    else
        echo "    $1: DIFFERENT" >&2
        cat "$work/differences" >&2
        failed=1
    fi
}

# round NAME TREE: both ways in and out, each into an empty volume.
round() {
    from=$2
    count=$(find "$from" -type f | wc -l)
    bytes=$(find "$from" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%d", s }')
    stored=$(du -s --apparent-size -B1 "$from" | cut -f1)
    echo "$1: $count files, $((bytes / 1048576)) MiB"
    out=$work/out
    export from out pool
    step "host cp -a" 'cp -a "$from" "$out"; sync -f "$out"'
    clear
    step "host tar | tar" 'mkdir "$out"; tar -C "$from" --xattrs --sparse --format=pax -cf - . | tar -C "$out" --xattrs -xpf -; sync -f "$out"'
    same "host's tar" "$from" "$out"
    clear

    "$command" pvcreate -q --setphysicalvolumesize "$((stored * 2 / 1048576 + 256))m" "$pool/disk1.db" "$pool/disk2.db"
    "$command" --pool "$pool" vgcreate -q vg "$pool/disk1.db" "$pool/disk2.db"
    "$command" --pool "$pool" lvcreate -q -n one -l 50%FREE vg
    "$command" --pool "$pool" lvcreate -q -n two -l 100%FREE vg
    step "cp -a in" '"$1" --pool "$pool" cp -a "$from" vg/one:/tree'
    step "cp -a out" '"$1" --pool "$pool" cp -a vg/one:/tree "$out"'
    same "cp -a" "$from" "$out"
    clear
    step "tar | import" 'tar -C "$from" --xattrs --sparse --format=pax -cf - . | "$1" --pool "$pool" import vg/two'
    step "export | tar" 'mkdir "$out"; "$1" --pool "$pool" export vg/two | tar -C "$out" --xattrs -xpf -; sync -f "$out"'
    same "tar | import, export | tar" "$from" "$out"
    clear
    step "export to a file" '"$1" --pool "$pool" export vg/two "$pool/archive.tar"'
    "$command" --pool "$pool" lvremove -q -y vg/one
    "$command" --pool "$pool" lvcreate -q -n three -l 100%FREE vg
    step "import from a file" '"$1" --pool "$pool" import vg/three "$pool/archive.tar"'
    "$command" --pool "$pool" export vg/three | cmp - "$pool/archive.tar" && echo "    exported again: the same bytes" || failed=1
    rm -rf "$pool"/*
}

echo "making a tree of $files files ..."
python3 - "$work/kernel" "$files" <<'PYTHON'
import math, os, random, sys

root, count = os.fsencode(sys.argv[1]), int(sys.argv[2])
source = random.Random(11)
words = bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz    \t\n_(){};*", k=1 << 20))
is_root = os.geteuid() == 0
os.mkdir(root)
dirs, made = [root], []


def path(suffix):
    # Deep and shallow folders, a few names that need more than a plain header.
    name = b"%s-%07d%s" % (source.choice([b"driver", b"mm", b"sched", b"net", "größe".encode()]), len(made), suffix)
    return os.path.join(source.choice(dirs), name)


while len(made) < count:
    if source.random() < 0.06:
        parent = source.choice(dirs[-200:])
        if parent.count(b"/") - root.count(b"/") < 12:
            dirs.append(os.path.join(parent, b"dir-%05d" % len(dirs)))
            os.mkdir(dirs[-1])
    kind = source.random()
    if kind < 0.006 and made:
        os.symlink(os.path.relpath(source.choice(made), dirs[0]), path(b".link"))
    elif kind < 0.010 and made:
        os.link(source.choice(made), path(b".same"))
    new = path(source.choice([b".c", b".h", b".rst", b"", b"-" + b"x" * 120]))
    # As in the kernel's tree: half below 5 KiB, a mean of about 15 KiB, a few of megabytes.
    size = 0 if source.random() < 0.01 else min(8 << 20, int(math.exp(source.gauss(8.5, 1.5))))
    with open(new, "wb") as file:
        left = size
        while left > 0:
            at = source.randrange(len(words) // 2)
            left -= file.write(words[at:at + min(left, len(words) // 2)])
        if source.random() < 0.002:
            for _ in range(source.randrange(1, 6)):
                file.seek(source.randrange(1, 40) << 16, os.SEEK_CUR)
                file.write(words[:source.randrange(1, 20000)])
            file.truncate(file.tell() + (source.randrange(3) << 16))
    if source.random() < 0.01:
        os.setxattr(new, b"user.note%d" % source.randrange(9), source.randbytes(source.randrange(900)))
    if is_root and source.random() < 0.01:
        os.chown(new, source.randrange(1 << 22), source.randrange(1 << 17))
    os.chmod(new, source.choice([0o644] * 20 + [0o755] * 5 + [0o600, 0o400, 0o4755, 0o2711, 0, 0o1666]))
    made.append(new)
for new in made + dirs[::-1]:
    nanos = source.randrange(10**9) if source.random() < 0.9 else 0
    os.utime(new, ns=(10**18, source.randrange(10**9, 17 * 10**8) * 10**9 + nanos))
for new in dirs[1:]:
    if source.random() < 0.05:
        os.chmod(new, source.choice([0o700, 0o2775, 0o1777, 0o500]))
PYTHON
sync -f "$work"

round "made up" "$work/kernel"
round "real sources" "$tree"
exit "$failed"
