#!/usr/bin/env python3
"""Makes the data sets of the benchmark.  What is there already is left alone; README.md describes the sets.

Usage: data.py FOLDER [SET...]        sets: random few many tree sparse pg (all of them by default)
"""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

MIB = 1 << 20
OLD = 1_700_000_000  # modification times start here: long ago, and the same in every run


def log(text):
    print(text, file=sys.stderr, flush=True)


def text_pool(rng, size):
    """Text that compresses about as well as configuration files do."""
    words = [f"{rng.choice('bcdfgklmnprst')}{rng.choice('aeiou')}{rng.choice('lmnrst')}{rng.choice('aeiouy')}{n % 7}"
             for n in range(900)]
    parts, length = [], 0
    while length < size:
        line = f"{rng.choice(words)}.{rng.choice(words)} = {rng.choice(words)} {rng.randrange(100000)}\n".encode()
        parts.append(line)
        length += len(line)
    return b"".join(parts)[:size]


def make_random(target):
    """One file of 1 GiB that nothing can compress."""
    rng = random.Random(1)
    with open(target / "random.bin", "wb") as out:
        for _ in range(1024):
            out.write(rng.randbytes(MIB))


def make_small_files(target, seed, tops, leaves, files):
    rng = random.Random(seed)
    pool = text_pool(rng, 4 * MIB)
    number = 0
    for top in range(tops):
        for leaf in range(leaves):
            folder = target / f"{top:03d}" / f"{leaf:03d}"
            folder.mkdir(parents=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            for n in range(files):
                size = rng.randint(64, 1400)
                start = rng.randrange(len(pool) - 1400)
                name = f"f{n:04d}.txt"
                # 24 random bytes in hexadecimal make every file unlike every other one.
                body = (rng.randbytes(24).hex().encode() + b"\n" + pool[start:start + 1400])[:size]
                file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=descriptor)
                os.write(file, body)
                os.utime(file, (OLD + number, OLD + number))
                os.close(file)
                number += 1
            os.close(descriptor)


def make_few(target):
    """1,000 small files, to compare memory with that for a million."""
    make_small_files(target, 2, 1, 2, 500)


def make_many(target):
    """1,000,000 files of 64 to 1400 bytes in 2,000 folders."""
    make_small_files(target, 3, 100, 20, 500)


TREE_ROOTS = ("/usr/include", "/usr/lib/python3", "/usr/share/doc", "/usr/src", "/usr/share/perl", "/usr/share/perl5",
              "/usr/share/vim", "/usr/share/automake-1.16", "/usr/share/postgresql")
TREE_SKIP = (".pyc", ".so", ".gz", ".a", ".o", ".xz", ".png", ".mo")
TREE_FILES = 70_000
TREE_BYTES = 650_000_000


def tree_sources():
    """Regular files of text below the roots, sorted, without what packages ship compressed or compiled."""
    roots = [root for root in TREE_ROOTS if os.path.isdir(root)]
    roots += sorted(str(path) for path in pathlib.Path("/usr/lib").glob("python3.*") if path.is_dir())
    found = []
    for root in roots:
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not name.endswith(TREE_SKIP) and os.path.isfile(path) and not os.path.islink(path):
                    found.append((path, os.path.getsize(path)))
    return [(path, size) for path, size in found if 0 < size <= 4 * MIB]


def changed(body, rng):
    """The file with a new first line, and with a line in about every two kilobytes changed: no two copies share a chunk."""
    lines = body.split(b"\n")
    for _ in range(len(body) // 2048 + 1):
        lines[rng.randrange(len(lines))] += b" /* %x */" % rng.getrandbits(32)
    return b"/* revision %x */\n" % rng.getrandbits(64) + b"\n".join(lines)


def make_tree(target):
    """About 70,000 files of source code and documentation, 650 MB."""
    rng = random.Random(4)
    sources = tree_sources()
    if len(sources) < 1000:
        raise SystemExit("data.py: tree: there are hardly any files below " + " ".join(TREE_ROOTS))
    count = total = copy = 0
    while count < TREE_FILES and copy < 500:
        for path, size in sources:
            # Bytes must not run ahead of the number of files, so that both arrive together.
            if total + size > TREE_BYTES * (count + 1) // TREE_FILES + 2 * MIB:
                continue
            body = pathlib.Path(path).read_bytes()
            if copy > 0:
                body = changed(body, rng)
            out = target / f"copy{copy:03d}" / path.lstrip("/")
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(body)
            os.utime(out, (OLD + count, OLD + count))
            count += 1
            total += len(body)
            if count == TREE_FILES:
                break
        copy += 1
    log(f"  {count} files, {total / 1e6:.0f} MB, {copy} copies")


def make_sparse(target):
    """20 GiB, of which about 1 % is data: 120 pieces of 1 to 3 MiB in random places."""
    rng = random.Random(5)
    pool = text_pool(rng, MIB)
    with open(target / "sparse.img", "wb") as out:
        out.truncate(20 * 1024 * MIB)
        for slot in sorted(rng.sample(range(20 * 1024 // 4), 100)):
            out.seek(slot * 4 * MIB + rng.randrange(256) * 4096)
            for _ in range(rng.randint(1, 3)):
                out.write(rng.randbytes(MIB // 2) + pool[:MIB // 2])


def newest_postgresql():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        raise SystemExit("data.py: pg: needs the package postgresql")
    return found[-1].parent


PG_SQL = """
    select setseed(0.5);
    create table event as select g id, timestamp '2024-01-01' + g * interval '1 second' as made, md5(g::text) as token,
        'user ' || (g % 5000) || ' did action ' || (g % 37) || ' on object ' || (g::bigint * 7919 % 1000003) as note, random() as weight
        from generate_series(1, 2000000) g;
    create index on event (id);
    create index on event (token);
    create index on event (note);
    checkpoint;
"""


def make_pg(target):
    """A PostgreSQL data folder of about 2.3 GB, from a clean shutdown."""
    programs = newest_postgresql()
    # The database server refuses to run as root.
    as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    sockets = tempfile.mkdtemp(prefix="bench-pg.")
    if as_owner:
        shutil.chown(target, "postgres", "postgres")
        shutil.chown(sockets, "postgres", "postgres")

    def run(program, *arguments, text=None):
        subprocess.run([*as_owner, programs / program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=sockets,
                       input=text, text=True)

    server = ["-h", sockets, "-p", "54399"]
    options = f"-k {sockets} -p 54399 -c listen_addresses= -c fsync=off -c max_wal_size=1GB -c autovacuum=off"
    data = target / "data"
    started = False
    try:
        run("initdb", "-D", data, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        run("pg_ctl", "-s", "-w", "-D", data, "-o", options, "-l", f"{sockets}/log", "start")
        started = True
        run("createdb", *server, "bench")
        run("pgbench", *server, "-i", "-q", "-s", "50", "bench")
        run("pgbench", *server, "--random-seed=1", "-n", "-c", "2", "-j", "2", "-t", "20000", "bench")
        run("psql", *server, "-X", "-q", "-v", "ON_ERROR_STOP=1", "bench", text=PG_SQL)
    finally:
        if started:
            run("pg_ctl", "-s", "-w", "-D", data, "-m", "fast", "stop")
        shutil.rmtree(sockets, ignore_errors=True)


SETS = {"random": make_random, "few": make_few, "many": make_many, "tree": make_tree, "sparse": make_sparse, "pg": make_pg}


def make(root, name):
    """A set is made beside its place and moved there when it is whole."""
    final, part = root / name, root / f"{name}.part"
    if final.exists():
        log(f"{name}: is there")
        return
    log(f"{name}: {SETS[name].__doc__}")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    part.chmod(0o755)
    SETS[name](part)
    part.rename(final)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    names = sys.argv[2:] or list(SETS)
    for name in names:
        if name not in SETS:
            raise SystemExit(f"data.py: no set {name}")
    for name in names:
        make(pathlib.Path(sys.argv[1]), name)


if __name__ == "__main__":
    main()
