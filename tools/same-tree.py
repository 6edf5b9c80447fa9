#!/usr/bin/env python3
"""Compares two trees in everything that an archive copy keeps, and says what differs.

    tools/same-tree.py A B

Kind, mode, owner, time of last change to the nanosecond, device numbers, targets of symbolic links, which names share an
inode, extended attributes, holes (in pages) and contents. Ends with 1 at the first 20 differences.
"""
import os
import stat
import sys

PAGE = 4096


def walk(root):
    """Every name below root (and root itself as an empty name), as bytes."""
    found, todo = {b"": os.lstat(root)}, [b""]
    while todo:
        name = todo.pop()
        with os.scandir(os.path.join(root, name) if name else root) as entries:
            for entry in entries:
                below = os.path.join(name, entry.name) if name else entry.name
                info = entry.stat(follow_symlinks=False)
                found[below] = info
                if stat.S_ISDIR(info.st_mode):
                    todo.append(below)
    return found


def pieces(fd, size):
    """Pages with data, as a list of (first, behind the last)."""
    out, at = [], 0
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(fd, begin, os.SEEK_HOLE)
        first, last = begin // PAGE, -(-at // PAGE)
        if out and out[-1][1] >= first:
            out[-1] = (out[-1][0], last)
        else:
            out.append((first, last))
    return out


def xattrs(path):
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}


def seen(info):
    out = {"mode": oct(info.st_mode), "owner": (info.st_uid, info.st_gid), "mtime": info.st_mtime_ns}
    if stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):
        out["size"] = info.st_size
    if not stat.S_ISDIR(info.st_mode):
        out["links"] = info.st_nlink
    if stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
        out["device"] = info.st_rdev
    return out


def contents(a, b, size):
    """What differs in the bytes of two files of the same size."""
    with open(a, "rb", buffering=0) as one, open(b, "rb", buffering=0) as two:
        if pieces(one.fileno(), size) != pieces(two.fileno(), size):
            return "holes"
        one.seek(0)
        two.seek(0)
        while True:
            data = one.read(1 << 20)
            if data != two.read(1 << 20):
                return "contents"
            if not data:
                return None


def groups(found):
    """Names that share an inode."""
    by_inode = {}
    for name, info in found.items():
        if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
            by_inode.setdefault(info.st_ino, set()).add(name)
    return {frozenset(names) for names in by_inode.values()}


def differences(root_a, root_b):
    a, b = walk(root_a), walk(root_b)
    for name in sorted(a.keys() ^ b.keys()):
        yield f"{name!r}: only in {'the first' if name in a else 'the second'}"
    for group in sorted(groups(a) ^ groups(b), key=sorted):
        yield f"{sorted(group)[:3]!r}: not the same names share an inode"
    for name in sorted(a.keys() & b.keys()):
        one, two = seen(a[name]), seen(b[name])
        for key in sorted(one.keys() | two.keys()):
            if one.get(key) != two.get(key):
                yield f"{name!r}: {key}: {one.get(key)} and {two.get(key)}"
        path_a, path_b = os.path.join(root_a, name), os.path.join(root_b, name)
        if stat.S_ISLNK(a[name].st_mode) and os.readlink(path_a) != os.readlink(path_b):
            yield f"{name!r}: the target"
        if xattrs(path_a) != xattrs(path_b):
            yield f"{name!r}: extended attributes"
        if stat.S_ISREG(a[name].st_mode) and one.get("size") == two.get("size"):
            differs = contents(path_a, path_b, a[name].st_size)
            if differs:
                yield f"{name!r}: {differs}"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: tools/same-tree.py A B")
    count = 0
    for line in differences(*map(os.fsencode, sys.argv[1:])):
        print(line)
        count += 1
        if count == 20:
            sys.exit("... and perhaps more")
    sys.exit(1 if count else 0)


main()
