#!/usr/bin/env python3
"""Change a folder tree at random: mutate.py SEED COUNT DIR.  The same seed changes the same tree in the same way."""
import os
import random
import sys


class Mutator:
    def __init__(self, seed, root):
        self.r = random.Random(seed)
        self.root = os.fsencode(root)
        self.files, self.folders, self.others = [], [], []
        self.scan()

    def scan(self):
        self.files, self.folders, self.others = [], [self.root], []
        for folder, folders, files in os.walk(self.root):
            folders.sort()
            for name in sorted(folders):
                path = os.path.join(folder, name)
                (self.others if os.path.islink(path) else self.folders).append(path)
            for name in sorted(files):
                path = os.path.join(folder, name)
                (self.files if os.path.isfile(path) and not os.path.islink(path) else self.others).append(path)

    def new_path(self):
        while True:
            kind = self.r.randrange(4)
            name = (b"n%d" % self.r.randrange(10**6), self.r.randbytes(self.r.randrange(1, 12)).replace(b"/", b"-").replace(b"\0", b"0"),
                    b"x" * self.r.randrange(1, 200), b"a-%d.tmp" % self.r.randrange(1000))[kind]
            path = os.path.join(self.r.choice(self.folders), name)
            if name not in (b".", b"..", b"lost+found") and not os.path.lexists(path) and path.count(b"/") < 40 and len(path) < 3000:
                return path

    def size(self):
        return self.r.choice((0, 1, self.r.randrange(5000), self.r.randrange(5000), self.r.randrange(200_000), self.r.choice((131071, 131072, 262144)),
                              self.r.randrange(3_000_000)))

    def create(self):
        with open(self.new_path(), "wb") as f:
            f.write(self.r.randbytes(self.size()))

    def sparse(self):
        with open(self.new_path(), "wb") as f:
            for _ in range(self.r.randrange(4)):
                f.seek(self.r.randrange(10_000_000))
                f.write(self.r.randbytes(self.r.randrange(1, 20_000)))
            f.truncate(max(f.tell(), self.r.randrange(12_000_000)))

    def folder(self):
        os.mkdir(self.new_path())

    def special(self):
        path = self.new_path()
        if self.r.random() < 0.3:
            os.mkfifo(path)
        else:
            os.symlink(self.r.randbytes(self.r.randrange(1, 300)).replace(b"\0", b"0"), path)

    def write(self):
        path = self.r.choice(self.files)
        with open(path, "r+b") as f:
            f.seek(self.r.randrange(os.path.getsize(path) + 1))
            f.write(self.r.randbytes(self.r.randrange(1, 50_000)))

    def append(self):
        with open(self.r.choice(self.files), "ab") as f:
            f.write(self.r.randbytes(self.r.randrange(1, 200_000)))

    def insert(self):
        path = self.r.choice(self.files)
        with open(path, "rb") as f:
            old = f.read()
        at = self.r.randrange(len(old) + 1)
        with open(path, "wb") as f:
            f.write(old[:at] + self.r.randbytes(self.r.randrange(1, 3000)) + old[at:])

    def cut(self):
        path = self.r.choice(self.files)
        os.truncate(path, self.r.randrange(2 * os.path.getsize(path) + 2))

    def replace(self):
        path = self.r.choice(self.files)
        with open(path + b".new", "wb") as f:
            f.write(self.r.randbytes(self.size()))
        os.rename(path + b".new", path)

    def remove(self):
        os.unlink(self.r.choice(self.files + self.others))

    def rename(self):
        old, new = self.r.choice(self.files + self.others + self.folders[1:]), self.new_path()
        if not (new + b"/").startswith(old + b"/"):
            os.rename(old, new)

    def link(self):
        os.link(self.r.choice(self.files + self.others), self.new_path(), follow_symlinks=False)

    def mode(self):
        os.chmod(self.r.choice(self.files + self.folders), 0o700 | self.r.randrange(0o1000))

    def owner(self):
        if os.geteuid() == 0:
            os.chown(self.r.choice(self.files + self.folders + self.others), self.r.randrange(3000), self.r.randrange(3000), follow_symlinks=False)

    def touch(self):
        ns = self.r.randrange(-10**18, 4 * 10**18)
        os.utime(self.r.choice(self.files + self.others + self.folders), ns=(ns, ns), follow_symlinks=False)

    def xattr(self):
        try:
            os.setxattr(self.r.choice(self.files + self.folders), "user.m%d" % self.r.randrange(3), self.r.randbytes(self.r.randrange(300)))
        except OSError:
            pass

    def swap(self):
        """A file becomes a folder, or what it was is kept below."""
        path = self.r.choice(self.files)
        os.rename(path, path + b".was")
        os.mkdir(path)
        os.rename(path + b".was", os.path.join(path, b"was"))

    def step(self):
        actions = [self.create] * 6 + [self.write, self.append, self.insert, self.cut, self.replace, self.remove, self.rename] * 3 + [
            self.sparse, self.folder, self.folder, self.special, self.link, self.link, self.mode, self.owner, self.touch, self.xattr, self.swap]
        if len(self.files) < 30:
            actions = [self.create, self.folder, self.sparse]
        try:
            self.r.choice(actions)()
        except OSError as e:
            if e.errno != 36:  # a name that became too long
                raise
        self.scan()


os.umask(0o022)
os.makedirs(sys.argv[3], exist_ok=True)
m = Mutator(int(sys.argv[1]), sys.argv[3])
for _ in range(int(sys.argv[2])):
    m.step()
