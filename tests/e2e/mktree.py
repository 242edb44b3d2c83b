#!/usr/bin/env python3
"""Make a folder tree that holds everything a file system can hold.

    mktree.py [--seed N] [--small] [--long] [--no-owners] DIR

The same on every run: contents come from a seeded generator, times are set.  What the file system or the rights of the
user do not allow is left out.  --small leaves out what is large or many; --long adds very deep folders.
"""
import argparse
import os
import random
import stat
import struct

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BASE_NS = 1_700_000_000_123_456_789


class Tree:
    def __init__(self, root, seed):
        self.root = os.fsencode(root)
        self.random = random.Random(seed)
        self.untimed = set()

    def path(self, name):
        return os.path.join(self.root, name if isinstance(name, bytes) else name.encode())

    def folder(self, name, mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path(name), mode)

    def file(self, name, content=b"", mode=0o644):
        with open(self.path(name), "wb") as f:
            f.write(content)
        os.chmod(self.path(name), mode)

    def noise(self, size):
        """Half of it can be compressed."""
        half = self.random.randbytes(size // 2)
        return half + (b"snapferry" * (size // 9 + 1))[: size - len(half)]

    def sparse(self, name, size, pieces):
        with open(self.path(name), "wb") as f:
            for offset, length in pieces:
                f.seek(offset)
                f.write(self.random.randbytes(length))
            f.truncate(size)

    def attempt(self, call, *args, **kw):
        """What the kernel refuses is left out."""
        try:
            call(*args, **kw)
            return True
        except OSError:
            return False

    def xattr(self, name, attribute, value):
        return self.attempt(os.setxattr, self.path(name), attribute, value, follow_symlinks=False)

    def time(self, name, ns):
        path = self.path(name)
        if self.attempt(os.utime, path, ns=(ns, ns), follow_symlinks=False):
            self.untimed.add(path)


def sizes(t, small):
    t.folder("sizes")
    t.file("sizes/empty")
    t.file("sizes/one", b"x")
    for border in (4 * KIB, 128 * KIB, 256 * KIB, MIB) + (() if small else (4 * MIB,)):
        for d in (-1, 0, 1):
            t.file("sizes/%d" % (border + d), t.noise(border + d))
    t.file("sizes/zeros", bytes(3 * MIB + 5))
    t.file("sizes/zeros-small", bytes(8192))
    if not small:
        t.file("sizes/64M", t.noise(64 * MIB + 1))


def holes(t, small):
    t.folder("holes")
    t.sparse("holes/only", 100 * MIB, [])
    t.sparse("holes/only-small", 12345, [])
    t.sparse("holes/head", 2 * MIB, [(MIB, MIB)])
    t.sparse("holes/tail", 2 * MIB + 1, [(0, 4096)])
    t.sparse("holes/odd", 999_999, [(300_001, 5), (700_000, 4097)])
    t.sparse("holes/many", 8 * MIB, [(i * 64 * KIB, 4096) for i in range(128)])
    t.sparse("holes/border", GIB + 200 * MIB, [(GIB - 4096, 8192), (GIB + 100 * MIB, 70_000)])
    t.sparse("holes/end-of-segment", 2 * GIB, [(0, 1), (2 * GIB - 1, 1)])
    if not small:
        t.sparse("holes/5G", 5 * GIB + 17, [(0, 100_000), (GIB - 10, 20), (3 * GIB, MIB), (5 * GIB, 17)])


def names(t):
    every = bytes(b for b in range(1, 256) if b != ord("/"))
    t.folder("names")
    for name in (every, b"n" * 255, b"-rf", b"--help", b" ", b"trailing ", b"new\nline", b"...", b"..x", b".hidden", b"*",
                 b"\xff\xfe", b"\xc3\x28", "Ünïcode ☃".encode(), b"a\\b", b'quote"', b"'", b"$(id)", b"%s%n", b"#x"):
        t.file(b"names/" + name, name)
    t.folder("names/bytes")
    for b in every:
        t.file(b"names/bytes/x" + bytes([b]), bytes([b]))
    # What sorts around a slash.
    t.folder("names/order")
    for name in ("a", "a/b", "a-b", "a.d", "a/b/c"):
        t.folder("names/order/" + name)
        t.file("names/order/" + name + "/f", name.encode())
    for name in ("a!", "a0", "a\x01"):
        t.file("names/order/" + name, b"f")


def deep(t, depth, name):
    """Longer than PATH_MAX, so one step at a time."""
    t.folder("deep")
    here = os.open(t.path("deep"), os.O_RDONLY)
    step = (name + "-" * 20).encode()
    for i in range(depth):
        os.mkdir(step, dir_fd=here)
        below = os.open(step, os.O_RDONLY, dir_fd=here)
        f = os.open(b"file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=below)
        os.write(f, b"%d" % i)
        os.close(f)
        os.utime(b"file", ns=(BASE_NS + i, BASE_NS + i), dir_fd=below)
        os.close(here)
        here = below
    for i in range(depth):
        above = os.open("..", os.O_RDONLY, dir_fd=here)
        os.utime(here, ns=(BASE_NS - i, BASE_NS - i))
        os.close(here)
        here = above
    os.close(here)
    t.untimed.add(t.path("deep"))


def links(t):
    t.folder("links/far/away")
    t.folder("links/a")
    for name, target in (("dangling", b"no/such"), ("absolute", b"/etc/hostname"), ("folder", b"far/away"), ("up", b"../.."),
                         ("long", b"t" * 4095), ("bytes", b"\xff\n\x01"), ("itself", b"itself")):
        os.symlink(target, t.path("links/" + name))
    t.file("links/far/away/small", b"small")
    t.file("links/far/away/large", t.noise(300 * KIB))
    t.file("links/far/away/nothing")
    os.mkfifo(t.path("links/far/away/fifo"))
    os.symlink("x", t.path("links/far/away/symlink"))
    t.attempt(os.mknod, t.path("links/far/away/socket"), 0o600 | stat.S_IFSOCK)
    t.attempt(os.mknod, t.path("links/far/away/device"), 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    for kind in ("small", "large", "nothing", "fifo", "symlink", "socket", "device"):
        for other in ("links/a/" + kind, "links/z-" + kind):
            t.attempt(os.link, t.path("links/far/away/" + kind), t.path(other), follow_symlinks=False)
    t.file("links/twin-1", b"small")  # the same content is no link


def specials(t):
    t.folder("specials")
    os.mkfifo(t.path("specials/fifo"), 0o640)
    t.attempt(os.mknod, t.path("specials/socket"), 0o755 | stat.S_IFSOCK)
    for name, kind, device in (("null", stat.S_IFCHR, (1, 3)), ("disk", stat.S_IFBLK, (8, 17)),
                               ("large-numbers", stat.S_IFBLK, (4095, 1048575))):
        t.attempt(os.mknod, t.path("specials/" + name), 0o660 | kind, os.makedev(*device))


def rights(t, owners):
    t.folder("rights")
    for mode in (0o000, 0o001, 0o444, 0o777, 0o4755, 0o2755, 0o1644, 0o6711, 0o7777, 0o200):
        if mode & 0o400 or os.geteuid() == 0:
            t.file("rights/f%04o" % mode, b"%o" % mode, mode)
        if mode & 0o500 == 0o500 or os.geteuid() == 0:
            t.folder("rights/d%04o" % mode)
            t.file("rights/d%04o/inside" % mode, b"inside")
            os.chmod(t.path("rights/d%04o" % mode), mode)
    if os.geteuid() != 0 or not owners:
        return
    for uid, gid in ((1000, 1000), (0, 65534), (123_456, 7), (4_294_967_294, 4_294_967_294)):
        t.file("rights/o%d-%d" % (uid, gid), b"owner")
        t.folder("rights/p%d-%d" % (uid, gid))
        os.symlink("x", t.path("rights/s%d-%d" % (uid, gid)))
        for kind in "ops":
            os.chown(t.path("rights/%s%d-%d" % (kind, uid, gid)), uid, gid, follow_symlinks=False)
    os.chmod(t.path("rights/o1000-1000"), 0o6755)
    os.chmod(t.path("rights/p1000-1000"), 0o3775)


def times(t):
    t.folder("times")
    for name, ns in (("1901", -2_147_483_648 * 10**9), ("1969", -1), ("1970", 0), ("1960", -315_619_200 * 10**9 + 999_999_999),
                     ("2038", 2_147_483_648 * 10**9 + 1), ("2106", 4_294_967_296 * 10**9 + 999_999_999),
                     ("2262", 9_223_372_037 * 10**9), ("2400", 13_569_465_600 * 10**9 + 5)):
        t.file("times/f" + name, name.encode())
        t.folder("times/d" + name)
        os.symlink(name, t.path("times/s" + name))
        for kind in "fds":
            t.time("times/" + kind + name, ns)


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)


def attributes(t, small):
    nobody = 0xFFFFFFFF
    access = acl((1, 6, nobody), (2, 7, 1000), (2, 4, 4000), (4, 4, nobody), (8, 5, 1001), (0x10, 7, nobody), (0x20, 0, nobody))
    default = acl((1, 7, nobody), (2, 6, 1002), (4, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody))
    t.folder("xattrs/folder")
    t.folder("xattrs/default-acl")
    t.file("xattrs/default-acl/before", b"made before the default")
    t.xattr("xattrs/default-acl", "system.posix_acl_default", default)
    t.xattr("xattrs/default-acl", "system.posix_acl_access", default)
    t.folder("xattrs/default-acl/inherits")
    t.file("xattrs/default-acl/after", b"made after the default")
    t.file("xattrs/acl", b"acl")
    t.xattr("xattrs/acl", "system.posix_acl_access", access)
    t.file("xattrs/acl-large", t.noise(200 * KIB))
    t.xattr("xattrs/acl-large", "system.posix_acl_access", access)
    for size in (0, 1, 100, 3000, 60_000):
        t.file("xattrs/value-%d" % size, b"x")
        t.xattr("xattrs/value-%d" % size, "user.value", t.random.randbytes(size))
    t.file("xattrs/many", b"many")
    for i in range(20 if small else 60):
        t.xattr("xattrs/many", "user.attribute-%03d" % i, b"%d" % i)
    t.file("xattrs/name", b"name")
    t.xattr("xattrs/name", "user." + "n" * 250, b"long name")
    t.xattr("xattrs/name", b"user.\xff\n\"=", b"bytes\0\xff")
    t.file("xattrs/capability", b"program", 0o755)
    t.xattr("xattrs/capability", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    t.file("xattrs/read-only", b"read only", 0o444)
    os.chmod(t.path("xattrs/read-only"), 0o644)
    t.xattr("xattrs/read-only", "user.x", b"y")
    os.chmod(t.path("xattrs/read-only"), 0o444)
    os.symlink("nowhere", t.path("xattrs/symlink"))
    os.mkfifo(t.path("xattrs/fifo"))
    for name in ("folder", "symlink", "fifo", "name", "value-1"):
        t.xattr("xattrs/" + name, "trusted.t", b"trusted " + name.encode())
        t.xattr("xattrs/" + name, "security.selinux", b"system_u:object_r:x_t:s0\0")
    t.xattr("xattrs/folder", "user.f", b"folder")
    t.xattr("", "user.root", b"the root's own")


def many(t, count):
    t.folder("many")
    for i in range(count):
        with open(t.path("many/f%05d" % i), "wb") as f:
            f.write(b"content %d" % (i // 2))


def set_times(t):
    """Everything that has no special time gets one of its own; folders after what is in them."""
    for folder, folders, files in os.walk(t.root, topdown=False):
        if folder.startswith(t.path("deep")):
            continue
        for name in sorted(files) + [f for f in sorted(folders) if os.path.islink(os.path.join(folder, f))]:
            path = os.path.join(folder, name)
            if path not in t.untimed:
                ns = BASE_NS + sum(path[len(t.root):]) * 1_000_003
                os.utime(path, ns=(ns, ns), follow_symlinks=False)
        if folder not in t.untimed:
            ns = BASE_NS + len(folder) * 1_000_000_007
            os.utime(folder, ns=(ns, ns))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--small", action="store_true")
    p.add_argument("--long", action="store_true")
    p.add_argument("--no-owners", action="store_true")
    p.add_argument("dir")
    a = p.parse_args()
    os.umask(0o022)
    os.makedirs(a.dir, exist_ok=True)
    t = Tree(os.path.abspath(a.dir), a.seed)
    sizes(t, a.small)
    holes(t, a.small)
    names(t)
    deep(t, 50 if a.small else 300, "down")
    if a.long:
        deep(t, 1500, "bottom")
    links(t)
    specials(t)
    rights(t, not a.no_owners)
    times(t)
    attributes(t, a.small)
    many(t, 500 if a.small else 20_000)
    t.folder("lost+found", 0o700)
    t.folder("sizes/lost+found", 0o700)
    t.file("sizes/lost+found/kept", b"only the one in the root is left out")
    os.chmod(t.root, 0o2751)
    set_times(t)


main()
