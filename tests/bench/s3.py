#!/usr/bin/env python3
"""Measures snapferry with a repository in a bucket, beside curl that only moves objects, on a Ceph RADOS gateway of its own.

README.md tells how to read the tables.  The data come from data.py.  Needs gcc, curl, and what tests/s3/README.md lists.
"""
import argparse
import dataclasses
import json
import mmap
import os
import pathlib
import platform
import random
import shutil
import signal
import statistics
import sys
import time

sys.dont_write_bytecode = True  # nothing but sources in the tree

import bench
import curl
import filesystem
import process
import rgw
import tools
from bench import MIB, log, number, spread

GIB = 1 << 30
CONNECTIONS = 4
LATENCY_MS = 50
LATENCY_CONNECTIONS = 32
LATENCY_BYTES = 4 * GIB
SNAPSHOTS = 1000
# Less at a time than what the gateway's memory takes.
TOUCHED = 3 * GIB


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What is done in each round.  Several tables may look at the same runs."""

    name: str
    action: str  # transfer, latency, unchanged or list
    data: str | None = None  # a set of data.py
    target: str | None = None  # of imports: memory or disk


MEASUREMENTS = [Measurement(*fields) for fields in (
    ("random-memory", "transfer", "random", "memory"),
    ("random-disk", "transfer", "random", "disk"),
    ("pg-memory", "transfer", "pg", "memory"),
    ("pg-disk", "transfer", "pg", "disk"),
    ("latency", "latency", None, "memory"),
    ("unchanged", "unchanged", "many"),
    ("list", "list", "few"),
)]

# A figure of a run, its unit, and whether more is better.
FIGURES = {
    "stored": (lambda run: run.stored / 1e6 / run.wall, "MB of objects per second", True),
    "source": (lambda run: run.source / 1e6 / run.wall, "MB of source per second", True),
    "wall": (lambda run: run.wall, "seconds", False),
    "requests": (lambda run: sum(run.requests.values()), "requests", False),
    "memory": (lambda run: run.anonymous / MIB, "MiB, anonymous", False),
}

# Scenario, the measurement it looks at, its step, its figure.
SCENARIOS = (
    ("export-random", "random-memory", "export", "stored"),
    ("export-pg", "pg-memory", "export", "stored"),
    ("import-random-memory", "random-memory", "import", "stored"),
    ("import-random-disk", "random-disk", "import", "stored"),
    ("import-pg-memory", "pg-memory", "import", "stored"),
    ("import-pg-disk", "pg-disk", "import", "stored"),
    ("latency-export", "latency", "export", "stored"),
    ("latency-import", "latency", "import", "stored"),
    ("unchanged", "unchanged", "export", "requests"),
    ("unchanged-wall", "unchanged", "export", "wall"),
    ("list", "list", "list", "wall"),
    ("list-requests", "list", "list", "requests"),
    ("memory-export-random", "random-memory", "export", "memory"),
    ("memory-export-pg", "pg-memory", "export", "memory"),
    ("memory-export-latency", "latency", "export", "memory"),
    ("memory-export-unchanged", "unchanged", "export", "memory"),
    ("memory-export-many", "unchanged", "first", "memory"),
    ("memory-import-random", "random-memory", "import", "memory"),
    ("memory-import-pg", "pg-memory", "import", "memory"),
    ("memory-import-latency", "latency", "import", "memory"),
)


@dataclasses.dataclass
class Run(process.Run):
    source: int = 0  # bytes
    stored: int = 0  # bytes of the objects that were moved
    server: float = 0  # processor seconds of the server, and of the proxy
    requests: dict = dataclasses.field(default_factory=dict)  # by method


class Bucket(tools.Snapferry):
    """snapferry with a repository in the bucket of a server."""

    def __init__(self, program, home, extra):
        super().__init__(program, home)
        self.extra = extra
        self.variables = {}
        self.repository = f"s3://{rgw.BUCKET}/snapferry"

    def use(self, server, endpoint):
        self.variables = {**server.environment, "AWS_ENDPOINT_URL_S3": endpoint}

    def environment(self):
        return super().environment() | self.variables

    def export(self, source):
        return self.run("export", "-q", "-V", "bench", *self.extra, source)

    def import_(self, target):
        return self.run("import", "-q", "-V", "bench", *self.extra, target)


class Memory(filesystem.Folder):
    """A folder in memory for imports."""

    def __init__(self, place):
        super().__init__(place)
        self.path = place / f"snapferry-bench.{os.getpid()}"


def touch_memory(size):
    """A virtual machine's memory may come from its host only when it is touched, which takes longer than to use it: not in a run."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
        pass


def make_incompressible(path, size):
    """Unless it is there already."""
    if path.exists() and path.stat().st_size == size:
        return
    generator = random.Random(9)
    with open(path, "wb") as out:
        for _ in range(size // MIB):
            out.write(generator.randbytes(MIB))


class Bench:
    def __init__(self, options):
        self.options = options
        self.work = options.work
        self.work.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()
        self.targets = {"memory": Memory(options.memory), "disk": filesystem.choose(self.work)}
        self.proxy = self.work / "proxy"
        rgw.build_proxy(self.proxy)
        self.snapferry = Bucket(str(options.snapferry), self.work / "snapferry", options.option)
        self.runs = {}  # (measurement name, step): {who: [Run]}
        self.failures = {}  # measurement name: text
        self.compared = set()
        self.kept_pieces = None

    def server(self):
        return rgw.Server(self.work / "rgw")

    def pieces(self):
        if self.kept_pieces is None:
            self.kept_pieces = curl.Pieces(self.options.data / "random" / "random.bin", self.work / "pieces")
        self.kept_pieces.read_all()
        return self.kept_pieces

    def data(self, name):
        data = bench.Data(self.options.data / name)
        data.read_all()
        data.wait_until_old()
        return data

    def measure(self, m, steps):
        try:
            getattr(self, "do_" + m.action)(m, steps)
        except (process.Failed, rgw.Unavailable) as failure:
            log(f"{m.name}: {failure}")
            self.failures[m.name] = str(failure)

    def note(self, m, step, who, run, server=0.0, **more):
        run = Run(**vars(run), server=server, **more)
        runs = self.runs.setdefault((m.name, step), {}).setdefault(who, [])
        runs.append(run)
        log(f"{m.name} {step} {len(runs)}/{self.options.rounds} {who}: {run.wall:.2f} s, {run.cpu:.2f} CPU s, server {server:.2f}")

    def timed(self, m, step, who, action, clocks, **more):
        """Run it with all memory at hand and nothing left to be written.  clocks: who serves it."""
        os.sync()
        touch_memory(self.options.touch)
        before = sum(each.cpu() for each in clocks)
        run = action()
        self.note(m, step, who, run, sum(each.cpu() for each in clocks) - before, **more)

    # Transfers: whoever writes has a server of his own, and reads there what he has written.

    def do_transfer(self, m, steps):
        data = self.data(m.data)
        pieces = self.pieces()
        for _ in range(self.options.rounds):
            for signed in (False, True):
                if signed and "export" not in steps:
                    continue
                with self.server() as server:
                    limit = curl.Curl(pieces, self.work, server.environment, server.endpoint, CONNECTIONS, len(pieces.files))
                    self.curl_rounds(m, steps, limit, signed, (server,))
            with self.server() as server:
                self.snapferry.use(server, server.endpoint)
                self.snapferry_round(m, steps, data, server, (server,))

    def curl_rounds(self, m, steps, limit, signed, clocks):
        size = {"source": limit.bytes, "stored": limit.bytes}
        self.timed(m, "export", "signed" if signed else "unsigned", lambda: limit.put(signed), clocks, **size)
        if "import" in steps and not signed:
            self.timed(m, "import", "null", limit.get, clocks, **size)
            with self.targets[m.target] as folder:
                self.timed(m, "import", "files", lambda: limit.get(folder), clocks, **size)

    def snapferry_round(self, m, steps, data, server, clocks):
        self.snapferry.init()
        before = server.stored("snapferry/")
        self.timed(m, "export", "snapferry", lambda: self.snapferry.export(data.path), clocks, source=data.bytes)
        stored = server.stored("snapferry/") - before
        self.runs[m.name, "export"]["snapferry"][-1].stored = stored
        if "import" in steps:
            self.import_round(m, data, stored, clocks)

    def import_round(self, m, data, stored, clocks):
        with self.targets[m.target] as folder:
            target = folder / "target"
            self.timed(m, "import", "snapferry", lambda: self.snapferry.import_(target), clocks, source=data.bytes, stored=stored)
            if m.name not in self.compared:
                process.run(["diff", "-r", "--no-dereference", data.path, target], cwd=self.work,
                            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, log=self.work / "diff.log")
                self.compared.add(m.name)

    def do_latency(self, m, steps):
        """Larger than the others; everybody goes through the proxy."""
        folder = self.work / "large"
        folder.mkdir(exist_ok=True)
        make_incompressible(folder / "large.bin", LATENCY_BYTES)
        data = bench.Data(folder)
        data.read_all()
        data.wait_until_old()
        pieces = self.pieces()
        for _ in range(self.options.rounds):
            with self.server() as server, rgw.Proxy(self.proxy, self.work, server, LATENCY_MS) as proxy:
                limit = curl.Curl(pieces, self.work, server.environment, proxy.endpoint, LATENCY_CONNECTIONS,
                                  LATENCY_BYTES // curl.OBJECT)
                self.curl_rounds(m, steps, limit, False, (server, proxy))
            with self.server() as server, rgw.Proxy(self.proxy, self.work, server, LATENCY_MS) as proxy:
                self.snapferry.use(server, proxy.endpoint)
                self.snapferry_round(m, steps, data, server, (server, proxy))

    # Requests are counted by the proxy, whatever asks for them.

    def counted(self, m, step, action, server, proxy, **more):
        proxy.forget()
        self.timed(m, step, "snapferry", action, (server, proxy), **more)
        self.runs[m.name, step]["snapferry"][-1].requests = proxy.requests()

    def do_unchanged(self, m, _):
        data = self.data(m.data)
        with self.server() as server, rgw.Proxy(self.proxy, self.work, server) as proxy:
            self.snapferry.use(server, proxy.endpoint)
            self.snapferry.init()
            self.counted(m, "first", lambda: self.snapferry.export(data.path), server, proxy, source=data.bytes)
            for _ in range(self.options.rounds):
                self.counted(m, "export", lambda: self.snapferry.export(data.path), server, proxy, source=data.bytes)

    def do_list(self, m, _):
        data = self.data(m.data)
        with self.server() as server:
            self.snapferry.use(server, server.endpoint)
            self.snapferry.init()
            for _ in range(SNAPSHOTS):
                self.snapferry.export(data.path)
            with rgw.Proxy(self.proxy, self.work, server, LATENCY_MS) as proxy:
                self.snapferry.use(server, proxy.endpoint)
                for _ in range(self.options.rounds):
                    self.counted(m, "list", self.snapferry.open, server, proxy)


def entry_of(runs, compute):
    entry = {"figure": spread([compute(run) for run in runs]), "rounds": len(runs)}
    for name in ("cpu", "server", "wall"):
        entry[name] = spread([getattr(run, name) for run in runs])
    if all(run.source for run in runs):
        entry["source"] = spread([FIGURES["source"][0](run) for run in runs])
    if all(run.anonymous is not None for run in runs):
        entry["anonymous"] = spread([run.anonymous for run in runs])
    if runs[-1].requests:
        entry["requests"] = runs[-1].requests
    return entry


def row_of(measured, scenario):
    """Everything that is known of a scenario, as it goes into JSON."""
    name, source, step, figure = scenario
    compute, unit, more_is_better = FIGURES[figure]
    row = {"scenario": name, "unit": unit, "more_is_better": more_is_better, "tools": {}, "failed": measured.failures.get(source)}
    for who, runs in measured.runs.get((source, step), {}).items():
        if figure != "memory" or who == "snapferry":
            row["tools"][who] = entry_of(runs, compute)
    own = row["tools"].get("snapferry")
    if own and figure == "stored":
        own["of_limits"] = {who: {"stored": own["figure"]["median"] / limit["figure"]["median"],
                                  "source": own["source"]["median"] / limit["figure"]["median"]}
                            for who, limit in row["tools"].items() if who != "snapferry"}
    return row


def print_row(row):
    wanted = "more" if row["more_is_better"] else "less"
    print(f"\n{row['scenario']}: {row['unit']}, {wanted} is better")
    print(f"  {'':10}{'median':>9}{'min - max':>20}{'% of limit':>12}{'source':>9}{'% of limit':>12}{'CPU s':>9}{'server s':>10}{'wall s':>9}{'anon':>7}")
    for who, entry in row["tools"].items():
        figure = entry["figure"]
        limits = ["/".join(f"{100 * part[what]:.0f}" for part in entry.get("of_limits", {}).values()) for what in ("stored", "source")]
        source = number(entry["source"]["median"]) if "source" in entry else ""
        anonymous = f"{entry['anonymous']['max'] / MIB:.0f}" if "anonymous" in entry else ""
        requests = "".join(f"  {method} {count}" for method, count in sorted(entry.get("requests", {}).items()))
        print(f"  {who:10}{number(figure['median']):>9}{number(figure['min']) + ' - ' + number(figure['max']):>20}{limits[0]:>12}{source:>9}"
              f"{limits[1]:>12}{entry['cpu']['median']:>9.2f}{entry['server']['median']:>10.2f}{entry['wall']['median']:>9.2f}{anonymous:>7}{requests}")
    if row["failed"]:
        print(f"  failed: {row['failed'].splitlines()[0]}")


def report_of(measured, scenarios):
    return {
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]},
        "version": measured.snapferry.version(),
        "options": measured.options.option,
        "rounds": measured.options.rounds,
        "imports": measured.targets["disk"].description,
        "minutes": (time.monotonic() - measured.started) / 60,
        "scenarios": [row_of(measured, each) for each in scenarios
                      if (each[1], each[2]) in measured.runs or each[1] in measured.failures],
    }


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the folder that data.py filled")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder for everything else, 10 GB")
    parser.add_argument("--memory", type=pathlib.Path, default=pathlib.Path("/dev/shm"), help="a folder in memory, for imports")
    parser.add_argument("--touch", type=int, default=TOUCHED, metavar="BYTES", help="memory that is touched before each run")
    parser.add_argument("--snapferry", type=pathlib.Path, default=shutil.which("snapferry"), help="the program")
    parser.add_argument("--option", action="append", default=[], metavar="OPTION",
                        help="one more for exports and imports, as --option=--connections=16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=bench.names_list, action="extend", metavar="SCENARIO,...",
                        help="a scenario, or the first words of several, as import or memory")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the report here, too (renewed after each measurement)")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.snapferry is None or not os.access(options.snapferry, os.X_OK):
        parser.error("there is no program snapferry")
    options.data, options.work, options.snapferry = options.data.resolve(), options.work.resolve(), options.snapferry.resolve()
    return parser, options


def main():
    if "--list" in sys.argv[1:]:
        print("\n".join(name for name, *_ in SCENARIOS))
        return 0
    parser, options = parse_options()
    wanted = [each for each in SCENARIOS
              if not options.only or any(each[0] == name or each[0].startswith(name + "-") for name in options.only)]
    if not wanted:
        parser.error("no such scenario; --list lists them")
    signal.signal(signal.SIGTERM, bench.end_by_signal)
    signal.signal(signal.SIGHUP, bench.end_by_signal)
    measured = Bench(options)
    for m in MEASUREMENTS:
        steps = {step for _, source, step, _ in wanted if source == m.name}
        if steps:
            measured.measure(m, steps)
            if options.json:
                options.json.write_text(json.dumps(report_of(measured, wanted), indent=1) + "\n")
    report = report_of(measured, wanted)
    print(f"{report['machine']['cpus']} CPUs, {report['rounds']} rounds, {report['version']}; {report['imports']}; "
          f"took {report['minutes']:.0f} minutes")
    for row in report["scenarios"]:
        print_row(row)
    return 1 if measured.failures else 0


if __name__ == "__main__":
    sys.exit(main())
