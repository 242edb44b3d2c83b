#!/usr/bin/env python3
"""Measures snapferry, its peers, and what the machine could do at best, in turns.  README.md tells how to read the tables.

The data come from data.py.  Needs gcc, libzstd-dev, libssl-dev, diff; and restic and borg for the comparison.  Root can give
each import a file system of its own.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing but sources in the tree

import filesystem
import process
import tools

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
CREATE_FILES = 20_000
# An export does not trust the times of files that changed within two seconds of its parent's start.
RACY_S = 3


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One thing that every tool does, several times.  Several tables may look at the same runs."""

    name: str
    data: str
    action: str  # export, unchanged, import, verify or open
    limits: tuple = ()  # what limit.c measures beside it


MEASUREMENTS = [Measurement(*fields) for fields in (
    ("export-random", "random", "export", ("onepass", "store")),
    ("export-pg", "pg", "export", ("onepass", "store")),
    ("import-pg", "pg", "import", ("restore",)),
    ("verify-pg", "pg", "verify", ("verify",)),
    ("export-tree", "tree", "export", ("walk",)),
    ("import-tree", "tree", "import", ("create",)),
    ("export-few", "few", "export"),
    ("import-few", "few", "import"),
    ("open-few", "few", "open"),
    ("export-many", "many", "export", ("walk",)),
    ("unchanged-many", "many", "unchanged", ("walk",)),
    ("import-many", "many", "import", ("create",)),
    ("export-sparse", "sparse", "export"),
    ("import-sparse", "sparse", "import"),
)]

# A figure of a run, its unit, and whether more is better.
FIGURES = {
    "speed": (lambda run, data: data.bytes / 1e6 / run.cpu, "MB per CPU second", True),
    "cost": (lambda run, data: run.cpu * 1e6 / data.files, "us of CPU per file", False),
    "cpu": (lambda run, data: run.cpu, "CPU seconds", False),
    "wall": (lambda run, data: run.wall, "seconds", False),
    "cores": (lambda run, data: run.cpu / run.wall, "cores busy (CPU / wall)", True),
    "memory": (lambda run, data: (run.maxrss if run.anonymous is None else run.anonymous) / MIB,
               "MiB (snapferry: anonymous, others: maxrss)", False),
    "size": (lambda run, data: run.size / 1e6, "MB of repository", False),
}

# Scenario, the measurement it looks at, its figure.  Speed and cost are compared with the limit, if there is one.
SCENARIOS = (
    ("export-random", "export-random", "speed"),
    ("export-pg", "export-pg", "speed"),
    ("both-cores-busy-random", "export-random", "cores"),
    ("both-cores-busy-pg", "export-pg", "cores"),
    ("import-pg", "import-pg", "speed"),
    ("verify-pg", "verify-pg", "speed"),
    ("export-many", "export-many", "cost"),
    ("unchanged-many", "unchanged-many", "cost"),
    ("import-many", "import-many", "cost"),
    ("export-tree", "export-tree", "cost"),
    ("import-tree", "import-tree", "cost"),
    ("export-sparse", "export-sparse", "cpu"),
    ("export-sparse-wall", "export-sparse", "wall"),
    ("import-sparse", "import-sparse", "cpu"),
    ("import-sparse-wall", "import-sparse", "wall"),
    ("open", "open-few", "cpu"),
    ("memory-export-1k", "export-few", "memory"),
    ("memory-export-1m", "export-many", "memory"),
    ("memory-import-1k", "import-few", "memory"),
    ("memory-import-1m", "import-many", "memory"),
    ("size-random", "export-random", "size"),
    ("size-pg", "export-pg", "size"),
    ("size-tree", "export-tree", "size"),
    ("size-many", "export-many", "size"),
    ("size-sparse", "export-sparse", "size"),
)


def log(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def end_by_signal(number, _):
    """As Ctrl-C does: what is mounted is unmounted."""
    raise SystemExit(128 + number)


class Data:
    """A data set.  Reading it brings it into the page cache and tells its size and age."""

    def __init__(self, path):
        self.path = path
        self.bytes = self.files = 0
        self.newest = 0.0
        if not path.is_dir():
            raise SystemExit(f"bench.py: {path} is missing: make it with data.py")

    def read_all(self):
        self.bytes = self.files = 0
        buffer = bytearray(4 * MIB)
        for folder, _, names in os.walk(self.path):
            self.note_time(os.lstat(folder))
            for name in names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                self.note_time(status)
                self.files += 1
                self.bytes += status.st_size
                with open(path, "rb", buffering=0) as file:
                    read_data(file, status, buffer)

    def note_time(self, status):
        self.newest = max(self.newest, status.st_mtime, status.st_ctime)

    def wait_until_old(self):
        """Until the newest change is outside of the window in which times are not trusted."""
        while time.time() < self.newest + RACY_S:
            time.sleep(0.1)


def read_data(file, status, buffer):
    """Read a file, but not its holes."""
    at = 0
    while at < status.st_size:
        try:
            at = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
        os.lseek(file.fileno(), at, os.SEEK_SET)
        while at < end:
            n = file.readinto(memoryview(buffer)[:min(len(buffer), end - at)])
            if n == 0:
                return
            at += n


class Bench:
    def __init__(self, options):
        self.options = options
        self.work = options.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        self.fresh = filesystem.choose(self.work)
        self.limit = self.work / "limit"
        subprocess.run([os.environ.get("CC", "gcc"), "-O2", "-D_GNU_SOURCE", "-o", self.limit, *sorted(HERE.glob("limit*.c")),
                        "-lzstd", "-lcrypto"], check=True)
        self.tools = [self.make_tool(name) for name in options.tools]
        self.runs = {}  # measurement name: {tool name: [Run]}
        self.limits = {}  # measurement name: {what: [float]}
        self.failures = {}  # measurement name: {tool name: text}
        self.data = {}  # set name: Data
        self.compared = set()

    def make_tool(self, name):
        program = str(self.options.snapferry) if name == "snapferry" else shutil.which(name)
        if program is None or not os.access(program, os.X_OK):
            raise SystemExit(f"bench.py: there is no program {program or name}")
        tool = tools.ALL[name](program, self.work / name)
        tool.holds = None  # the data set that its repository has
        return tool

    def measure(self, m, last_use, imported):
        data = self.data.setdefault(m.data, Data(self.options.data / m.data))
        data.read_all()
        data.wait_until_old()
        self.runs[m.name] = {tool.name: [] for tool in self.tools}
        self.failures[m.name] = {}
        self.limits[m.name] = {what: [] for what in m.limits}
        for round_number in range(self.options.rounds):
            for what in m.limits:
                self.limits[m.name][what].append(self.measure_limit(what, data))
            for tool in self.tools:
                if tool.name in self.failures[m.name]:
                    continue
                try:
                    run = getattr(self, "do_" + m.action)(tool, m, data)
                    self.compare_export(tool, m, data, imported)
                except process.Failed as failure:
                    log(f"{m.name}: {tool.name} failed: {failure}")
                    self.failures[m.name][tool.name] = str(failure)
                    tool.holds = None
                    continue
                self.runs[m.name][tool.name].append(run)
                log(f"{m.name} {round_number + 1}/{self.options.rounds} {tool.name}: {run.cpu:.2f} CPU s, {run.wall:.2f} s")
                # What is still to be written must not slow the next one down.
                os.sync()
        if last_use:
            for tool in self.tools:
                tool.clear()
                tool.holds = None

    def measure_limit(self, what, data):
        if what == "create":
            with self.fresh as folder:
                return self.run_limit(what, folder, CREATE_FILES)
        return self.run_limit(what, data.path)

    def run_limit(self, *arguments):
        out = subprocess.run([self.limit, *map(str, arguments)], check=True, capture_output=True, text=True)
        os.sync()
        return float(out.stdout.split()[0])

    # What a measurement does.  Only what the returned Run covers is timed.

    def do_export(self, tool, m, data):
        tool.holds = None
        tool.init()
        run = tool.export(data.path)
        tool.holds = m.data
        run.size = tool.size()
        return run

    def ensure_repository(self, tool, m, data):
        if tool.holds != m.data:
            self.do_export(tool, m, data)
            os.sync()

    def do_unchanged(self, tool, m, data):
        self.ensure_repository(tool, m, data)
        return tool.export(data.path)

    def do_import(self, tool, m, data):
        self.ensure_repository(tool, m, data)
        with self.fresh as folder:
            run = tool.import_(folder / "target")
            self.compare(tool, m, data, folder / "target")
        return run

    def do_verify(self, tool, m, data):
        self.ensure_repository(tool, m, data)
        return tool.verify()

    def do_open(self, tool, m, data):
        self.ensure_repository(tool, m, data)
        return tool.open()

    def compare_export(self, tool, m, data, imported):
        """An export counts only if it can be read: imported once, unless a measurement does that anyway."""
        if m.action in ("export", "unchanged") and m.data not in imported and (tool.name, m.data) not in self.compared:
            self.do_import(tool, m, data)

    def compare(self, tool, m, data, target):
        if (tool.name, m.data) in self.compared:
            return
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        process.run(["diff", "-r", "--no-dereference", data.path, target], cwd=self.work, env=env, log=self.work / "diff.log")
        if self.options.judge and tool.name == "snapferry":
            process.run([self.options.judge, data.path, target], cwd=self.work, env=env, log=self.work / "judge.log")
        self.compared.add((tool.name, m.data))


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def row_of(bench, scenario):
    """Everything that is known of a scenario, as it goes into JSON."""
    name, source, figure = scenario
    compute, unit, more_is_better = FIGURES[figure]
    m = next(each for each in MEASUREMENTS if each.name == source)
    data = bench.data[m.data]
    row = {"scenario": name, "unit": unit, "more_is_better": more_is_better, "files": data.files, "bytes": data.bytes, "tools": {}}
    if figure in ("speed", "cost") and m.limits:
        row["limits"] = {what: spread(values) for what, values in bench.limits[source].items()}
    for tool, runs in bench.runs[source].items():
        if not runs:
            row["tools"][tool] = {"failed": bench.failures[source][tool]}
            continue
        entry = row["tools"][tool] = {"figure": spread([compute(run, data) for run in runs]), "rounds": len(runs)}
        entry["cpu"] = spread([run.cpu for run in runs])
        entry["wall"] = spread([run.wall for run in runs])
        entry["cores"] = spread([run.cpu / run.wall for run in runs])
        entry["maxrss"] = spread([run.maxrss for run in runs])
        if runs[0].anonymous is not None:
            entry["anonymous"] = spread([run.anonymous for run in runs])
        if source in bench.failures and tool in bench.failures[source]:
            entry["failed"] = bench.failures[source][tool]
    add_ratios(row)
    return row


def add_ratios(row):
    """of_limits: how near to each limit, 1 being there.  snapferry_better: how many times better snapferry is."""

    def better(a, b):
        """How many times better a is than b."""
        if not row["more_is_better"]:
            a, b = b, a
        return a / b if b else None

    own = row["tools"].get("snapferry", {}).get("figure")
    for tool, entry in row["tools"].items():
        if "figure" not in entry:
            continue
        median = entry["figure"]["median"]
        if "limits" in row:
            entry["of_limits"] = {what: better(median, limit["median"]) for what, limit in row["limits"].items()}
        if own and tool != "snapferry":
            entry["snapferry_better"] = better(own["median"], median)


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def print_row(row):
    wanted = "more" if row["more_is_better"] else "less"
    print(f"\n{row['scenario']}: {row['unit']}, {wanted} is better  ({row['files']} files, {row['bytes'] / 1e6:.0f} MB)")
    print(f"  {'':10}{'median':>9}{'min - max':>20}{'% of limit':>12}{'snapferry':>11}{'CPU s':>9}{'wall s':>9}{'cores':>7}"
          f"{'maxrss':>8}{'anon':>7}")
    for what, limit in row.get("limits", {}).items():
        print(f"  {what:10}{number(limit['median']):>9}{number(limit['min']) + ' - ' + number(limit['max']):>20}   (limit)")
    for tool, entry in row["tools"].items():
        if "figure" not in entry:
            print(f"  {tool:10}failed: {entry['failed'].splitlines()[0]}")
            continue
        figure = entry["figure"]
        limit = "/".join(f"{100 * part:.0f}" for part in entry.get("of_limits", {}).values())
        times = f"x {entry['snapferry_better']:.2f}" if entry.get("snapferry_better") else ""
        anonymous = f"{entry['anonymous']['median'] / MIB:.0f}" if "anonymous" in entry else ""
        print(f"  {tool:10}{number(figure['median']):>9}{number(figure['min']) + ' - ' + number(figure['max']):>20}{limit:>12}"
              f"{times:>11}{entry['cpu']['median']:>9.2f}{entry['wall']['median']:>9.2f}{entry['cores']['median']:>7.2f}"
              f"{entry['maxrss']['median'] / MIB:>8.0f}{anonymous:>7}{'  FAILED later' if 'failed' in entry else ''}")


def report_of(bench, scenarios):
    return {
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]},
        "versions": {tool.name: tool.version() for tool in bench.tools},
        "rounds": bench.options.rounds,
        "imports": bench.fresh.description,
        "minutes": (time.monotonic() - bench.started) / 60,
        "maxrss_floor": process.own_maxrss(),
        "scenarios": [row_of(bench, each) for each in scenarios if each[1] in bench.runs],
    }


def names_list(text):
    return [name for name in text.split(",") if name]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the folder that data.py filled")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder for repositories and imports, emptied in between")
    parser.add_argument("--snapferry", type=pathlib.Path, default=shutil.which("snapferry"), help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=names_list, action="extend", metavar="SCENARIO,...",
                        help="a scenario, or the first words of several, as memory or export")
    parser.add_argument("--tools", type=names_list, default=list(tools.ALL), metavar="snapferry,restic,borg")
    parser.add_argument("--judge", type=pathlib.Path, help="tests/e2e/judge, to compare attributes of snapferry's imports, too")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the report here, too (renewed after each measurement)")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    options = parser.parse_args()
    for name in options.tools:
        if name not in tools.ALL:
            parser.error(f"no tool {name}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    options.data, options.work = options.data.resolve(), options.work.resolve()
    if options.snapferry:
        options.snapferry = options.snapferry.resolve()
    if options.judge:
        options.judge = options.judge.resolve()
    return parser, options


def main():
    if "--list" in sys.argv[1:]:
        print("\n".join(name for name, _, _ in SCENARIOS))
        return 0
    parser, options = parse_options()
    wanted = [each for each in SCENARIOS
              if not options.only or any(each[0] == name or each[0].startswith(name + "-") for name in options.only)]
    if not wanted:
        parser.error("no such scenario; --list lists them")
    signal.signal(signal.SIGTERM, end_by_signal)
    signal.signal(signal.SIGHUP, end_by_signal)
    needed = {source for _, source, _ in wanted}
    plan = [m for m in MEASUREMENTS if m.name in needed]
    bench = Bench(options)
    for i, m in enumerate(plan):
        following = plan[i + 1:]
        imported = {each.data for each in plan if each.action == "import"}
        bench.measure(m, not any(each.data == m.data for each in following), imported)
        if options.json:
            options.json.write_text(json.dumps(report_of(bench, wanted), indent=1) + "\n")
    report = report_of(bench, wanted)
    print(f"{report['machine']['cpus']} CPUs, {report['rounds']} rounds, " + ", ".join(report["versions"].values()) +
          f"; {report['imports']}; maxrss is never below {report['maxrss_floor'] / MIB:.0f} MiB; took {report['minutes']:.0f} minutes")
    for row in report["scenarios"]:
        print_row(row)
    failed = any("failed" in entry for row in report["scenarios"] for entry in row["tools"].values())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
