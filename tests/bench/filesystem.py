"""Where imports go: an ext4 of its own for each one, in a sparse file.

ext4 does not give an inode away again for a minute after it was freed, and looks at each of those before it takes another: whoever
creates files where a million were deleted just now pays for the deletion.  On a new file system nobody does.
"""
import os
import shutil
import subprocess

SIZE = 40 << 30  # bytes; room for 2.6 million files.  Only what is written takes space.
PROGRAMS = ("mkfs.ext4", "mount", "umount")


class Unavailable(Exception):
    """A file system cannot be made here; the text says why."""


def command(*arguments):
    # A Ctrl-C is for the benchmark, which then needs these to clean up.
    done = subprocess.run([*map(str, arguments)], capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode != 0:
        raise Unavailable(f"{arguments[0]}: {done.stderr.strip() or f'exit status {done.returncode}'}")


def remove(path):
    """shutil.rmtree() takes minutes for a million files."""
    subprocess.run(["rm", "-rf", "--", path], check=True)


class Folder:
    """An empty folder below the work folder, as long as the context is open."""

    description = "imports into one file system, in which every import finds the inodes that the one before has freed"

    def __init__(self, work):
        self.path = work / "imported"

    def __enter__(self):
        self.clear()
        self.path.mkdir()
        return self.path

    def __exit__(self, *_):
        self.clear()

    def clear(self):
        remove(self.path)


class Ext4(Folder):
    """The same, with a new file system mounted on it."""

    description = "imports into a new ext4 each"

    def __init__(self, work):
        super().__init__(work)
        self.image = work / "imported.ext4"

    def __enter__(self):
        super().__enter__()
        try:
            with open(self.image, "wb") as file:
                file.truncate(SIZE)
            # The file reads as zeros: neither mkfs nor, later, the kernel in the background has to write empty tables.
            command("mkfs.ext4", "-q", "-F", self.image)
            command("mount", "-o", "loop,noinit_itable", self.image, self.path)
        except BaseException:
            self.clear()
            raise
        return self.path

    def clear(self):
        """Also what a run that was killed has left; unmounting frees the loop device."""
        while os.path.ismount(self.path):
            command("umount", self.path)
        self.image.unlink(missing_ok=True)
        super().clear()


def choose(work):
    """The best that is possible here."""
    if os.geteuid() != 0:
        return refuse(work, "not root")
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return refuse(work, "there is no " + ", ".join(missing))
    filesystem = Ext4(work)
    try:
        filesystem.clear()
    except Unavailable as why:
        raise SystemExit(f"bench.py: an earlier run has left {filesystem.path}: {why}") from why
    try:
        with filesystem:
            return filesystem
    except Unavailable as why:
        return refuse(work, str(why))


def refuse(work, why):
    folder = Folder(work)
    folder.description += f" ({why})"
    return folder
