"""Runs one program and tells what it took: processor time of it and all it started, time, memory."""
import dataclasses
import os
import resource
import select
import signal
import subprocess
import time

SAMPLE_S = 0.02
LONGEST_S = 2 * 3600


class Failed(Exception):
    """A program ended with an error; the text has the end of what it printed."""


@dataclasses.dataclass
class Run:
    cpu: float  # seconds, user and system
    wall: float  # seconds
    maxrss: int  # bytes, as the kernel counts: with pages of files
    anonymous: int | None = None  # bytes, the highest sample
    size: int | None = None  # bytes of the repository afterwards


def anonymous_bytes(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Anonymous:"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass  # it has just ended
    return 0


def tail_of(path, lines=12):
    with open(path, "rb") as file:
        return b"\n".join(file.read().splitlines()[-lines:]).decode(errors="replace")


def run(arguments, *, cwd, env, log, sample=False):
    """Start it, wait for it, and return what it took.  Its output goes to the file log."""
    with open(log, "wb") as out:
        start = time.monotonic()
        child = subprocess.Popen(arguments, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    highest = 0
    done = False
    watch = os.pidfd_open(child.pid)
    try:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        while not poll.poll(SAMPLE_S * 1000 if sample else 10_000):
            if sample:
                highest = max(highest, anonymous_bytes(child.pid))
            if time.monotonic() - start > LONGEST_S:
                raise Failed(f"{arguments[0]}: not done after {LONGEST_S} s")
        # wait4() counts the children that the child has waited for.
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        done = True
    finally:
        os.close(watch)
        if not done:
            child.send_signal(signal.SIGKILL)
            os.wait4(child.pid, 0)
            child.returncode = -signal.SIGKILL
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise Failed(f"{' '.join(map(str, arguments))}: exit status {child.returncode}\n{tail_of(log)}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, highest if sample else None)


def own_maxrss():
    """A child's maxrss is never below what its parent had: the floor of that column."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
