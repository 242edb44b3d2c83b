#!/usr/bin/env python3
"""Lists a folder tree or an image file: one line an entry, sorted, everything that a restore must give back but the owners.

usage: list.py [--without-xattrs] NAME PATH

Standard library only; knows nothing of snapferry.  Fields, separated by a space: NAME, type, mode, mtime in nanoseconds (of
folders, files, FIFOs and symlinks), size, SHA-256 of the content or the target, extended attributes, first path of the hard
link's group, path.  Foreign bytes are written as %HH.
"""

import hashlib
import os
import stat
import sys


def quote(raw):
    return "".join(chr(b) if chr(b).isalnum() and b < 128 or b in b"/._-" else "%%%02x" % b for b in raw) or "."


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def attributes(path):
    pairs = []
    for name in sorted(os.listxattr(path, follow_symlinks=False), key=os.fsencode):
        if name.startswith("user."):
            value = os.getxattr(path, name, follow_symlinks=False)
            pairs.append(quote(os.fsencode(name)) + "=" + value.hex())
    return ",".join(pairs) or "-"


def walk(root, path=b""):
    yield path
    full = os.path.join(root, path)
    if not os.path.islink(full) and os.path.isdir(full):
        for name in sorted(os.listdir(full)):
            yield from walk(root, os.path.join(path, name))


TYPES = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "symlink"), (stat.S_ISFIFO, "fifo"))


def line(name, root, path, groups, with_xattrs):
    full = os.path.join(root, path) if path else root
    st = os.lstat(full)
    kind = next((word for test, word in TYPES if test(st.st_mode)), "other")
    content, size, group, xattrs = "-", 0, "-", "-"
    if kind == "file":
        content, size = sha256(full), st.st_size
    elif kind == "symlink":
        content = quote(os.readlink(full))
    if kind != "folder" and st.st_nlink > 1:
        group = quote(groups.setdefault((st.st_dev, st.st_ino), path))
    if with_xattrs and kind in ("file", "folder"):
        xattrs = attributes(full)
    return " ".join(map(str, (name, kind, "%04o" % stat.S_IMODE(st.st_mode), st.st_mtime_ns, size, content, xattrs,
                              group, quote(path))))


def main():
    arguments = sys.argv[1:]
    with_xattrs = arguments[:1] != ["--without-xattrs"]
    if not with_xattrs:
        arguments = arguments[1:]
    name, root = arguments[0], os.fsencode(arguments[1])
    if not os.path.isdir(root):
        print(name, "image", os.stat(root).st_size, sha256(root))
        return
    groups = {}
    for path in walk(root):
        print(line(name, root, path, groups, with_xattrs))


main()
