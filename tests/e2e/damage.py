#!/usr/bin/env python3
"""Damage every object of a repository, one at a time, and see what import and verify say.

    damage.py SNAPFERRY REPOSITORY VOLUME SNAPSHOT SOURCE SCRATCH SEED FLIPS

SNAPSHOT is a snapshot of SOURCE and the latest one.  REPOSITORY is a folder or s3://bucket/prefix, at AWS_ENDPOINT_URL_S3.  FLIPS is how many
bits are flipped in each object besides those at telling places; 0: none at all.  Prints each complaint; the last line is the number of checks.
"""
import json
import os
import random
import shutil
import subprocess
import sys

snapferry, repository, volume, snapshot, source, scratch = sys.argv[1:7]
r = random.Random(int(sys.argv[7]))
flips = int(sys.argv[8])
checks = complaints = 0
statuses = {}


class Folder:
    def __init__(self, path):
        self.path = path

    def keys(self):
        return [os.path.relpath(os.path.join(folder, name), self.path) for folder, _, names in os.walk(self.path) for name in names]

    def read(self, key):
        with open(os.path.join(self.path, key), "rb") as f:
            return f.read()

    def write(self, key, content):
        self.remove(key)
        with open(os.path.join(self.path, key), "wb") as f:
            f.write(content)

    def remove(self, key):
        if os.path.exists(os.path.join(self.path, key)):
            os.unlink(os.path.join(self.path, key))


class Bucket:
    def __init__(self, place):
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "s3"))
        sys.dont_write_bytecode = True
        from s3 import S3
        self.s3 = S3()
        self.bucket, _, self.prefix = place.removeprefix("s3://").partition("/")

    def keys(self):
        return [key[len(self.prefix) + 1 :] for key, _ in self.s3.list(self.bucket, self.prefix + "/")]

    def read(self, key):
        return self.s3.get(self.bucket, self.prefix + "/" + key)

    def write(self, key, content):
        self.s3.put(self.bucket, self.prefix + "/" + key, content)

    def remove(self, key):
        self.s3.delete(self.bucket, self.prefix + "/" + key)


place = Bucket(repository) if repository.startswith("s3:") else Folder(repository)


def check(good, message):
    global checks, complaints
    checks += 1
    if not good:
        complaints += 1
        print("FAILED:", message)


def run(*arguments):
    """Status and output; a crash, a hang and a report of a sanitizer are complaints."""
    try:
        p = subprocess.run([snapferry, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        check(False, "hangs: " + " ".join(arguments))
        return 124, "", ""
    out, err = p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")
    check(p.returncode >= 0 and "Sanitizer" not in err and "runtime error" not in err,
          "crash %d: %s\n%s" % (p.returncode, " ".join(arguments), err[-3000:]))
    return p.returncode, out, err


def contents(root):
    """Of the regular files: path -> bytes."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as f:
                    found[os.path.relpath(path, root)] = f.read()
    return found


good = contents(source)


def import_after(what, key, kind):
    target = os.path.join(scratch, "target")
    shutil.rmtree(target, ignore_errors=True)
    status, out, err = run("import", "-V", volume, "-s", snapshot, "--json", target)
    messages = [json.loads(line) for line in out.splitlines()]
    named = {m.get("path") for m in messages if m["message_type"] == "warning"}
    errors = [m for m in messages if m["message_type"] == "error"]
    restored = contents(target) if os.path.isdir(target) else {}
    restored = {p: c for p, c in restored.items() if not p.startswith(".snapferry-")}
    statuses.setdefault((kind, "import"), set()).add(status)
    for path, content in restored.items():
        check(good.get(path) == content, "%s: import status %d restores %s wrongly" % (what, status, path))
    if status == 0:
        check(set(restored) == set(good), "%s: import succeeds, but files are missing" % what)
        return
    allowed = {"repo.json": (10, 20), "keys": (10, 12, 20), "s": (1, 20), "volumes": (20,), "k": (20,), "p": (20,), "m": (20,)}[kind]
    check(status in allowed, "%s: import ends with status %d, not one of %s: %s" % (what, status, allowed, errors or err))
    check(len(errors) == 1, "%s: import ends with %d errors" % (what, len(errors)))
    text = out + err
    if kind in ("p", "m", "s", "k"):
        check(key in text or (kind == "s" and snapshot in text), "%s: import does not name the object: %s" % (what, errors))
    if kind == "p":
        missing = set(good) - set(restored)
        check(missing <= named, "%s: files are missing without being named: %s" % (what, sorted(missing - named)[:3]))
        check(len(restored) + len(missing) == len(good), "%s: other files are there" % what)
        check(len(missing) < len(good), "%s: no file was restored at all" % what)


def verify_after(what, key, kind, removed):
    status, out, err = run("verify", "-V", volume, "--level", "4", "--json")
    statuses.setdefault((kind, "verify"), set()).add(status)
    for line in out.splitlines():
        json.loads(line)
    if kind == "s" and removed:
        return  # nobody knows that it was there
    # Of the volume's key there are two copies: one of them is enough, but that it is the last one should be told.
    # The label of a key slot is not protected.
    allowed = {"repo.json": (10, 20), "keys": (0, 10, 12, 20), "k": (3, 20), "volumes": (3, 20)}.get(kind, (20,))
    check(status in allowed, "%s: verify ends with status %d, not one of %s" % (what, status, allowed))
    if kind in ("p", "m", "s") and status == 20:
        check(key in out + err, "%s: verify does not name the object" % what)


def kind_of(key):
    if key.startswith("v/"):
        return key.split("/")[2]
    return key.split("/")[0]


def places(kind, size):
    """Where to flip: everywhere in small objects, header, frames, trailer and footer of packs."""
    if flips == 0:
        return []
    found = {r.randrange(size) for _ in range(flips)}
    if kind in ("p", "m"):
        found |= {r.randrange(176), size - 1 - r.randrange(32), size - 33 - r.randrange(200), r.randrange(176, size)}
    return sorted(p for p in found if 0 <= p < size)


def damage(key):
    whole, kind = place.read(key), kind_of(key)

    def one(what, content):
        if content is None:
            place.remove(key)
        else:
            place.write(key, content)
        import_after("%s %s" % (key, what), key, kind)
        verify_after("%s %s" % (key, what), key, kind, content is None)
        place.write(key, whole)

    one("removed", None)
    one("empty", b"")
    if not whole.endswith(b"\n"):
        one("without its last byte", whole[:-1])
    one("cut in half", whole[: len(whole) // 2])
    one("longer", whole + b"\0")
    one("all zero", bytes(len(whole)))
    for p in places(kind, len(whole)):
        one("with bit flipped at %d of %d" % (p, len(whole)), whole[:p] + bytes([whole[p] ^ 1 << r.randrange(8)]) + whole[p + 1 :])


for key in sorted(place.keys()):
    if kind_of(key) != "s" or snapshot in key:
        damage(key)
for k in sorted(statuses):
    print("   %s of a damaged %s: status %s" % (k[1], k[0], sorted(statuses[k])))
import_after("the mended repository", "", "p")
print(checks)
sys.exit(complaints > 0)
