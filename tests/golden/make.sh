#!/bin/bash
# How tests/golden/v1 was made: run by hand, once for each version of the format, on a file system with user.* attributes.
#
#     tests/golden/make.sh PROGRAM VERSION          makes VERSION/ and VERSION.sums beside this script
#
# Nothing that exists is replaced: what is committed stays as it is for ever.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
golden=$here/$2
[ ! -e "$golden" ] && [ ! -e "$golden.sums" ] || {
	echo "$golden exists already"
	exit 1
}
work=$(mktemp -d "${TMPDIR:-/tmp}/golden.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset "${!SNAPFERRY_@}"
export LC_ALL=C.UTF-8 TZ=UTC
umask 022

# tree.py STEP: the tree of the first snapshot, or the changes before the second one; and the image.
cat >"$work/tree.py" <<'PYTHON'
import hashlib, os, sys

def text(seed, size):
    lines, have, n = [], 0, 0
    while have < size:
        line = b"%06d %s of %s, line by line, as logs are\n" % (n, hashlib.sha256(b"%d %s" % (n // 7, seed)).hexdigest()[:6].encode(), seed)
        lines.append(line)
        have += len(line)
        n += 1
    return b"".join(lines)[:size]

def noise(seed, size):
    return b"".join(hashlib.sha256(b"%s %d" % (seed, n)).digest() for n in range(size // 32 + 1))[:size]

def put(path, content, mode=0o644):
    with open(path, "wb") as f:
        f.write(content)
    os.chmod(path, mode)

def stamp(root):
    base = 1_700_000_000_000_000_000
    for n, (folder, folders, files) in enumerate(sorted(os.walk(root, topdown=False), reverse=True)):
        for name in sorted(files) + sorted(x for x in folders if os.path.islink(os.path.join(folder, x))):
            path = os.path.join(folder, name)
            if path not in keep:
                ns = base + int.from_bytes(hashlib.sha256(path).digest()[:6], "big")
                os.utime(path, ns=(ns, ns), follow_symlinks=False)
    for folder, _, _ in os.walk(root, topdown=False):
        ns = base - 1 - int.from_bytes(hashlib.sha256(folder).digest()[:6], "big")
        os.utime(folder, ns=(ns, ns))

step = sys.argv[1]
keep = set()
root = b"tree"
if step == "first":
    for folder in (b"tree", b"tree/config", b"tree/data", b"tree/data/deep", b"tree/data/deep/deeper", b"tree/empty", b"tree/odd"):
        os.mkdir(folder)
    os.chmod(b"tree/empty", 0o1777)
    os.chmod(b"tree/config", 0o750)
    for n in range(40):
        put(b"tree/config/%03d.conf" % n, text(b"config %d" % n, 37 * n), 0o640 if n % 3 else 0o600)
    put(b"tree/data/log", text(b"log", 300 * 1024))
    put(b"tree/data/changing", text(b"changing", 150 * 1024))
    put(b"tree/data/noise", noise(b"noise", 20 * 1024))
    put(b"tree/data/program", noise(b"program", 3000), 0o755)
    put(b"tree/data/read-only", b"do not touch\n", 0o444)
    put(b"tree/data/gone", text(b"gone", 5000))
    put(b"tree/data/deep/deeper/end", b"the end\n")
    with open(b"tree/data/sparse", "wb") as f:
        f.truncate(6 << 20)
        f.seek(1 << 20); f.write(text(b"sparse", 70_000))
        f.seek(5 << 20); f.write(b"island")
    put(b"tree/data/links-a", text(b"linked", 2000))
    os.link(b"tree/data/links-a", b"tree/data/deep/links-b")
    os.link(b"tree/data/links-a", b"tree/odd/links-c")
    put(b"tree/data/large-link-a", text(b"large link", 140 * 1024))
    os.link(b"tree/data/large-link-a", b"tree/data/large-link-b")
    os.symlink(b"log", b"tree/data/to-log")
    os.symlink(b"/nowhere/\xff\n", b"tree/odd/dangling")
    os.symlink(b"../config", b"tree/odd/to-config")
    os.mkfifo(b"tree/odd/fifo", 0o620)
    for n, name in enumerate((b"space here", b"new\nline", b"\xff\xfe", b"quote\"back\\slash", "schön".encode(), b"-dash", b"\x01", b"a", b"a-", b"a0", b"x" * 255)):
        put(b"tree/odd/" + name, b"content %d\n" % n)
    os.mkdir(b"tree/odd/a.d")
    put(b"tree/odd/a.d/in", b"in\n")
    put(b"tree/odd/zero", b"")
    os.setxattr(b"tree/data/log", b"user.golden", b"\0binary\xff")
    os.setxattr(b"tree/data/log", b"user.another", b"")
    os.setxattr(b"tree/config", b"user.folder", b"a folder's")
    os.setxattr(b"tree/config/005.conf", b"user.golden", b"small file's " * 20)
else:
    for folder, _, files in os.walk(root):
        keep |= {os.path.join(folder, x) for x in files}
    os.unlink(b"tree/data/gone")
    os.unlink(b"tree/config/007.conf")
    with open(b"tree/data/changing", "r+b") as f:
        f.seek(75_000); f.write(b"changed for the second snapshot")
    os.rename(b"tree/odd/a", b"tree/odd/a renamed")
    put(b"tree/config/020.conf", b"shorter\n", 0o600)
    put(b"tree/config/100.conf", text(b"new", 900))
    put(b"tree/data/copy", text(b"log", 300 * 1024))
    os.chmod(b"tree/data/program", 0o711)
    os.setxattr(b"tree/config/006.conf", b"user.late", b"1")
    os.removexattr(b"tree/data/log", b"user.another")
    keep -= {b"tree/data/changing", b"tree/config/020.conf"}
stamp(root)

with open("image", "wb" if step == "first" else "r+b") as f:
    if step == "first":
        f.truncate((3 << 20) + 4096)
        f.write(text(b"image", 700 * 1024))
        f.seek(2 << 20); f.write(noise(b"image", 8192))
        f.seek(3 << 20); f.write(b"tail")
PYTHON

cd "$work"
"$program" init -r "$golden" --new-key-file "$work/key" --label golden
export SNAPFERRY_REPOSITORY=$golden SNAPFERRY_KEY_FILE=$work/key
for step in first second; do
	[ "$step" = first ] || sleep 5
	python3 tree.py "$step"
	# Changes of the last two seconds would count as uncertain.
	sleep 5
	(cd tree && "$program" export -V golden/files --tag "step=$step" --exclude '*.left-out' .)
	"$here/list.py" "$step" tree >>"$golden.sums"
done
"$program" export -V golden/image --block image
"$here/list.py" image image >>"$golden.sums"
# The key belongs to this repository alone, which holds nothing of anybody.
install -m 644 "$work/key" "$golden.key"
"$program" verify --level 4
du -sb "$golden"
