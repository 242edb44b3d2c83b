#!/bin/bash
# A tree that is written to while it is exported.
. "$(dirname "$0")/functions.sh"
begin 120 "files that change while they are exported"
rounds=4
[ -z "$E2E_LONG" ] || rounds=30

# The writer.  Every file is one byte value repeated after a change is complete, so that a torn copy shows:
#   whole/     replaced by rename(2): always consistent      appended/  only grows: any length is a state
#   torn/      rewritten in place                             shrinking/ cut and filled again
#   coming/    created and removed                            tree/      folders moved around and replaced by files
cat >"$T/writer.py" <<'EOF'
import os, random, shutil, sys
root, flag = sys.argv[1], sys.argv[2]
r = random.Random(11)
for name in ("whole", "torn", "appended", "shrinking", "coming", "tree", "steady"):
    os.makedirs(os.path.join(root, name), exist_ok=True)
p = lambda *a: os.path.join(root, *a)
size = lambda: r.choice((10, 5000, 50_000, 140_000, 3_000_000))
def put(path, data):
    with open(path, "wb") as f:
        f.write(data)
for i in range(200):
    put(p("steady", "%d" % i), b"%d" % i * 1000)
for i in range(12):
    put(p("whole", "%d" % i), b"A" * (5000 if i % 2 else 140_000))
    put(p("torn", "%d" % i), b"A" * size())
    put(p("appended", "%d" % i), b"")
    put(p("shrinking", "%d" % i), b"S" * 2_000_000)
open(flag, "w").close()
step = 0
while os.path.exists(flag):
    step += 1
    i, c = r.randrange(12), bytes([65 + r.randrange(26)])
    # A file stays small or large: one of the other kind under its name is more than a small file's reader takes.
    put(p("whole", ".new"), c * r.choice((10, 5000, 50_000) if i % 2 else (140_000, 3_000_000)))
    os.rename(p("whole", ".new"), p("whole", "%d" % i))
    with open(p("torn", "%d" % i), "r+b") as f:
        n = os.fstat(f.fileno()).st_size
        for at in range(0, n, 65536):
            f.seek(at)
            f.write(c * min(65536, n - at))
    with open(p("appended", "%d" % i), "ab") as f:
        if f.tell() < 5_000_000:
            f.write(b"+" * r.randrange(1, 100_000))
    # (Never longer than it is: that would fill it up with zeros.)
    n = os.path.getsize(p("shrinking", "%d" % i))
    os.truncate(p("shrinking", "%d" % i), r.randrange(n) if n > 0 else 0)
    put(p("shrinking", "%d" % r.randrange(12)), b"S" * 2_000_000)
    for k in range(5):
        put(p("coming", "%d" % (step * 5 + k)), c * 1000)
    for k in range(5):
        if step > 10:
            os.unlink(p("coming", "%d" % ((step - 10) * 5 + k)))
    t = p("tree", "t%d" % (step % 5))
    if os.path.isdir(t) and not os.path.islink(t):
        shutil.rmtree(t)
        put(t, b"now a file")
    elif os.path.lexists(t):
        os.unlink(t)
        os.symlink("elsewhere", t) if r.random() < 0.3 else os.makedirs(t + "/sub/sub")
    else:
        os.makedirs(t + "/sub")
        put(t + "/sub/f", b"f")
    if os.path.isdir(p("tree", "wander")):
        os.rename(p("tree", "wander"), p("tree", "wander2"))
    elif os.path.isdir(p("tree", "wander2")):
        os.rename(p("tree", "wander2"), p("tree", "wander"))
    else:
        os.makedirs(p("tree", "wander", "a", "b"))
        put(p("tree", "wander", "a", "b", "c"), b"c" * 200_000)
EOF

# What came back, with the warnings of its export: prints what is wrong.
cat >"$T/inspect.py" <<'EOF'
import json, os, sys
root, log = sys.argv[1], sys.argv[2]
warned, wrong = set(), []
for line in open(log):
    m = json.loads(line)
    if m["message_type"] == "warning":
        warned.add(m.get("path", ""))
for folder, allowed in (("whole", None), ("torn", None), ("appended", b"+"), ("shrinking", b"S"), ("coming", None)):
    for name in os.listdir(os.path.join(root, folder)):
        path = folder + "/" + name
        data = open(os.path.join(root, path), "rb").read()
        values = set(data)
        if folder == "whole" and name != ".new" and path in warned:
            wrong.append("%s: a warning for a file that is replaced whole" % path)
        if path in warned:
            continue
        if len(values) > 1 or (allowed and values and values != set(allowed)):
            wrong.append("%s: torn without a warning (%d different bytes in %d)" % (path, len(values), len(data)))
for i in range(200):
    if open(os.path.join(root, "steady", "%d" % i), "rb").read() != b"%d" % i * 1000:
        wrong.append("steady/%d differs" % i)
    if "steady/%d" % i in warned:
        wrong.append("steady/%d has a warning" % i)
print("\n".join(wrong))
sys.exit(len(wrong) > 0)
EOF

new_repository
mkdir "$T/live"
python3 "$T/writer.py" "$T/live" "$T/flag" 2>"$T/writer.err" &
writer=$!
while ! [ -e "$T/flag" ]; do
	kill -0 $writer 2>/dev/null || die "the writer ended: $(cat "$T/writer.err")"
done
warnings=0
for ((i = 0; i < rounds; i++)); do
	note "round $i"
	export_tree "0|3" live "$T/live"
	[ "$status" = 3 ] && warnings=$((warnings + 1))
	check_number "status 3 means warnings, and the other way round" \
		$((status == 3)) -eq $(($(stat_of_export warnings) > 0))
	cp "$T/export.json" "$T/log.$i"
	ids[$i]=$snapshot
done
kill -0 $writer || failed "the writer died: $(cat "$T/writer.err")"
rm "$T/flag"
wait $writer
note "$warnings of $rounds exports had warnings"
for ((i = 0; i < rounds; i++)); do
	import_tree 0 live "${ids[$i]}" "$T/dst"
	check "round $i is consistent" python3 "$T/inspect.py" "$T/dst" "$T/log.$i"
done
note "at rest again"
export_tree 0 live "$T/live"
import_tree 0 live latest "$T/dst"
judge "files that were torn before are right now" "$T/live" "$T/dst"
expect 0 "verify finds all well" sf verify -V live --level 4
finish
