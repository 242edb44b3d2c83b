"""The programs that are compared: how each one makes a repository, exports, imports and verifies."""
import os
import pathlib
import shutil
import subprocess

import process


class Tool:
    """One program with one repository, in a folder of its own: nothing outside (caches, keys) is read or written."""

    name = ""
    sample = False  # whether anonymous memory is sampled

    def __init__(self, program, home):
        self.program = program
        self.home = pathlib.Path(home)
        self.repository = self.home / "repository"

    def environment(self):
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.home), "TMPDIR": str(self.home / "tmp")}

    def run(self, *arguments, cwd=None):
        return process.run([self.program, *map(str, arguments)], cwd=cwd or self.home, env=self.environment(),
                           log=self.home / "log", sample=self.sample)

    def clear(self):
        if self.home.exists():
            shutil.rmtree(self.home)

    def init(self):
        """An empty repository, in place of any older one."""
        self.clear()
        (self.home / "tmp").mkdir(parents=True)
        self.make_repository()

    def knows(self, option, *command):
        text = subprocess.run([self.program, *command, "--help"], capture_output=True, text=True, check=False)
        return option in text.stdout + text.stderr

    def version(self):
        text = subprocess.run([self.program, *self.version_command], capture_output=True, text=True, check=False)
        return (text.stdout or text.stderr).strip().split(" compiled")[0]

    def size(self):
        return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(self.repository)
                   for name in names)


class Snapferry(Tool):
    name = "snapferry"
    sample = True
    version_command = ("--version",)

    def environment(self):
        return super().environment() | {"SNAPFERRY_REPOSITORY": str(self.repository),
                                        "SNAPFERRY_KEY_FILE": str(self.home / "key")}

    def make_repository(self):
        self.run("init", "--new-key-file", self.home / "key")

    def export(self, source):
        return self.run("export", "-q", "-V", "bench", source)

    def import_(self, target):
        return self.run("import", "-q", "-V", "bench", target)

    def verify(self):
        return self.run("verify", "-q", "-V", "bench", "--level", "4")

    def open(self):
        return self.run("list", "-V", "bench")


class Restic(Tool):
    name = "restic"
    version_command = ("version",)

    def __init__(self, program, home):
        super().__init__(program, home)
        self.backup_options = ["--no-scan"] if self.knows("--no-scan", "backup") else []
        self.restore_options = ["--sparse"] if self.knows("--sparse", "restore") else []
        # Only the second version compresses.
        self.init_options = ["--repository-version", "2"] if self.knows("--repository-version", "init") else []

    def environment(self):
        return super().environment() | {"RESTIC_REPOSITORY": str(self.repository), "RESTIC_PASSWORD": "benchmark",
                                        "RESTIC_CACHE_DIR": str(self.home / "cache")}

    def make_repository(self):
        self.run("init", "-q", *self.init_options)

    def export(self, source):
        return self.run("backup", "-q", *self.backup_options, ".", cwd=source)

    def import_(self, target):
        return self.run("restore", "-q", *self.restore_options, "latest", "--target", target)

    def verify(self):
        return self.run("check", "-q", "--read-data")

    def open(self):
        return self.run("snapshots", "-q")


class Borg(Tool):
    name = "borg"
    version_command = ("--version",)

    def __init__(self, program, home):
        super().__init__(program, home)
        self.archives = 0

    def environment(self):
        return super().environment() | {"BORG_REPO": str(self.repository), "BORG_PASSPHRASE": "benchmark",
                                        "BORG_BASE_DIR": str(self.home / "base")}

    def make_repository(self):
        (self.home / "base").mkdir()
        self.archives = 0
        self.run("init", "-e", "repokey")

    def export(self, source):
        self.archives += 1
        return self.run("create", "--compression", "zstd,1", f"::{self.archives}", ".", cwd=source)

    def import_(self, target):
        os.mkdir(target)
        return self.run("extract", "--sparse", f"::{self.archives}", cwd=target)

    def verify(self):
        return self.run("check", "--verify-data")

    def open(self):
        return self.run("list")


ALL = {tool.name: tool for tool in (Snapferry, Restic, Borg)}
