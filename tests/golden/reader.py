#!/usr/bin/env python3
"""A second reader of snapferry repositories, written from docs/format.md alone: it shares nothing with the program.

usage: reader.py REPOSITORY KEY-FILE VOLUME [SNAPSHOT-NUMBER [SUMS NAME]]

Opens the volume, checks every signature, identity and length on the way to the snapshot (the last one, or the n-th from 0),
reads all content and prints "sha256 size path" of every file (of a device: path "."), or compares with the lines of NAME in
SUMS, which list.py wrote.  Needs python3-cryptography, and python3-zstandard or the program zstd; ends with 77 without them.
"""

import base64
import hashlib
import hmac
import json
import math
import os
import shutil
import struct
import subprocess
import sys

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    print("python3-cryptography is not there")
    sys.exit(77)

try:
    import zstandard
except ImportError:
    zstandard = None
    if shutil.which("zstd") is None:
        print("neither python3-zstandard nor zstd is there")
        sys.exit(77)

NO_NONCE = bytes(12)
CHUNK, BUNDLE, CATALOG, ROOT, SEGMENT, PACKLIST = 1, 2, 3, 4, 5, 6
SMALL_FILE = 0x80
FILE, FOLDER, SYMLINK, CHARACTER, BLOCK, VOLUME = 1, 2, 3, 4, 5, 8
SEGMENT_SIZE = 1 << 30


class Bad(Exception):
    pass


def must(condition, what):
    if not condition:
        raise Bad(what)


# ---- keys, section 2 ----

def hkdf_extract(salt, ikm):
    return hmac.digest(salt or bytes(32), ikm, "sha256")


def hkdf_expand(prk, info, length):
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([n]), "sha256")
        out, n = out + block, n + 1
    return out[:length]


def K(key, label, context):
    return hkdf_expand(hkdf_extract(b"", key), b"snapferry/1/" + label.encode() + b"\0" + context, 32)


def raw_public(private):
    return private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def hpke_open(private, message, info, aad):
    """RFC 9180, mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, single-shot."""
    enc, ciphertext = message[:32], message[32:]
    kem = b"KEM" + struct.pack(">H", 0x0020)
    suite = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0002)

    def extract(ids, salt, label, ikm):
        return hkdf_extract(salt, b"HPKE-v1" + ids + label + ikm)

    def expand(ids, prk, label, data, length):
        return hkdf_expand(prk, struct.pack(">H", length) + b"HPKE-v1" + ids + label + data, length)

    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = extract(kem, b"", b"eae_prk", shared)
    secret = expand(kem, prk, b"shared_secret", enc + raw_public(private), 32)
    context = b"\0" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    prk = extract(suite, secret, b"secret", b"")
    key = expand(suite, prk, b"key", context, 32)
    nonce = expand(suite, prk, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def read_key_file(path):
    with open(path, "rb") as file:
        content = file.read()
    if len(content) == 32:
        return content
    must(content.startswith(b"snapferry-key-1 "), "no key file")
    return bytes.fromhex(content[16:].decode().strip())


# ---- envelopes, section 3 ----

def open_envelope(content, payload_type, key):
    envelope = json.loads(content)
    must(envelope["payload_type"] == payload_type, "payload type")
    payload = base64.b64decode(envelope["payload"], validate=True)
    name = payload_type.encode()
    message = b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)
    signature = next(bytes.fromhex(s["signature"]) for s in envelope["signatures"] if bytes.fromhex(s["key"]) == key)
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    return json.loads(payload)


def kind_of(noun):
    return "application/vnd.snapferry.%s+json;version=1" % noun


# ---- structures ----

class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def bytes(self, n):
        must(self.at + n <= len(self.data), "structure ends early")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.bytes(1)[0]

    def u64(self):
        return struct.unpack("<Q", self.bytes(8))[0]

    def u32(self):
        return struct.unpack("<I", self.bytes(4))[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                must(value < 1 << 64 and shift <= 70, "varint")
                return value

    def zigzag(self):
        return unzigzag(self.varint())

    def end(self):
        must(self.at == len(self.data), "structure goes on")


def unzigzag(n):
    return (n >> 1) ^ -(n & 1)


def signed64(n):
    n &= (1 << 64) - 1
    return n - (1 << 64) if n >> 63 else n


class Frame:
    def __init__(self, session, seq, ordinal, offset, clen, plen, kind, ident):
        self.session, self.seq, self.ordinal, self.offset = session, seq, ordinal, offset
        self.clen, self.plen, self.kind, self.id = clen, plen, kind, ident


def reference_tables(c):
    sessions = [c.bytes(16) for _ in range(c.varint())]
    packs = []
    for _ in range(c.varint()):
        session, kind = sessions[c.varint()], c.u8()
        packs.append((session, kind, c.varint()))
    frames = []
    for _ in range(c.varint()):
        session, pack_kind, seq = packs[c.varint()]
        kind = c.u8()
        must(pack_kind == ord("p" if kind in (CHUNK, BUNDLE) else "m"), "frame in the wrong pack")
        ordinal, offset, clen, plen = c.varint(), c.varint(), c.varint(), c.varint()
        frames.append(Frame(session, seq, ordinal, offset, clen, plen, kind, c.bytes(16)))
    return frames


class Extents:
    """Reads extents; the frame index lives as long as the structure does."""

    def __init__(self, frames):
        self.frames, self.index = frames, -1

    def frame(self, difference):
        self.index += difference
        must(0 <= self.index < len(self.frames), "frame index")
        return self.frames[self.index]

    def read(self, c, count):
        extents = []
        for _ in range(count):
            tag = c.varint()
            if tag & 3 == 0:
                frame = self.frame(unzigzag(tag >> 2))
                extents.append((frame, 0, frame.plen))
            elif tag & 3 == 1:
                frame = self.frame(unzigzag(tag >> 2))
                offset, length = c.varint(), c.varint()
                must(offset + length <= frame.plen, "extent outside of its frame")
                extents.append((frame, offset, length))
            else:
                must(tag >> 2 == 0, "extent tag")
                extents.append((None, 0, c.varint()))
            must(extents[-1][2] > 0, "empty extent")
        return extents


class Entry:
    pass


def read_block(data):
    c = Cursor(data)
    must(c.bytes(2) == b"C\x01", "no catalog block")
    extents = Extents(reference_tables(c))
    sets = [c.bytes(c.varint()) for _ in range(c.varint())]
    e = Entry()
    e.path, e.mode, e.uid, e.gid, e.mtime, e.inode = b"", 0, 0, 0, 0, 0
    for _ in range(c.varint()):
        before, e = e, Entry()
        head = c.u8()
        e.type = head & 15
        shared = c.varint()
        e.path = before.path[:shared] + c.bytes(c.varint())
        e.mode, e.uid, e.gid = before.mode, before.uid, before.gid
        if not head & 128:
            e.mode, e.uid, e.gid = c.varint(), c.varint(), c.varint()
        e.mtime = signed64(before.mtime + c.zigzag())
        e.mtime_ns = c.varint()
        e.ctime = signed64(e.mtime + c.zigzag())
        e.ctime_ns = c.varint()
        e.inode = (before.inode + c.zigzag()) % (1 << 64)
        e.nlink = c.varint() if head & 32 else 1
        e.flags = c.u8() if head & 64 else 0
        e.xattrs = sets[c.varint()] if head & 16 else b""
        e.size, e.extents, e.segments, e.content_id, e.target = 0, [], [], None, b""
        if e.type in (FILE, VOLUME):
            e.size = c.varint()
            if e.size > 0 and not e.flags & 2:
                count = c.varint()
                if count > 0:
                    e.extents = extents.read(c, count)
                    must(sum(x[2] for x in e.extents) == e.size, "extents do not add up")
                    if count == 1 and e.extents[0][0] is not None and e.extents[0][0].kind == BUNDLE:
                        e.content_id = c.bytes(16)
                else:
                    e.segments = [extents.frame(c.zigzag()) for _ in range(-(-e.size // SEGMENT_SIZE))]
        elif e.type == SYMLINK:
            e.target = c.bytes(c.varint())
        elif e.type in (CHARACTER, BLOCK):
            e.device = c.varint(), c.varint()
        yield e
    c.end()


def read_attributes(data):
    if data == b"":
        return []
    c = Cursor(data)
    pairs = []
    for _ in range(c.varint()):
        name = c.bytes(c.varint())
        pairs.append((name, c.bytes(c.varint())))
    c.end()
    return pairs


# ---- the repository ----

class Repository:
    def __init__(self, folder, key_file):
        self.folder = folder
        self.open_slot(read_key_file(key_file))
        admin = raw_public(Ed25519PrivateKey.from_private_bytes(K(self.root, "admin", self.id)))
        payload = open_envelope(self.read("repo.json"), kind_of("repository"), admin)
        must(payload["format"] == "snapferry-repository" and payload["version"] == 1 and payload["suite"] == 1, "format")
        must(bytes.fromhex(payload["id"]) == self.id and bytes.fromhex(payload["admin_key"]) == admin, "identity")
        self.admin = admin

    def read(self, key):
        with open(os.path.join(self.folder, key), "rb") as file:
            return file.read()

    def list(self, folder):
        return sorted(os.listdir(os.path.join(self.folder, folder)))

    def open_slot(self, kek):
        for name in self.list("keys"):
            slot = json.loads(self.read("keys/" + name))
            must(slot["id"] + ".json" == name, "slot's name")
            repository, ident = bytes.fromhex(slot["repository"]), bytes.fromhex(slot["id"])
            if slot["kind"] == "raw" and K(kek, "slot-commitment", repository + ident).hex() == slot["commitment"]:
                self.id = repository
                self.root = AESGCM(K(kek, "slot-wrap", repository + ident)).decrypt(
                    NO_NONCE, bytes.fromhex(slot["wrapped"]), repository + ident)
                return
        raise Bad("wrong key")


class Volume:
    def __init__(self, repository, name):
        self.repository = repository
        self.name = name
        self.id = hmac.digest(K(repository.root, "volume-id", repository.id), name.encode(), "sha256")[:16]
        self.folder = "v/" + self.id.hex()
        self.keys = {}
        for object_name in repository.list(self.folder + "/k"):
            self.add_key(object_name)

    def add_key(self, object_name):
        content = self.repository.read(self.folder + "/k/" + object_name)
        must(content == self.repository.read("volumes/%s-%s" % (self.id.hex(), object_name)), "copy of the key object")
        o = open_envelope(content, kind_of("volume"), self.repository.admin)
        must(o["volume"] == self.id.hex() and object_name == "%08x-%s.json" % (o["epoch"], o["key"]), "key object's name")
        context = self.id + struct.pack("<I", o["epoch"]) + bytes.fromhex(o["key"])
        opened = AESGCM(K(self.repository.root, "volume-key", context)).decrypt(
            NO_NONCE, bytes.fromhex(o["wrapped"]), context)
        secret, name = opened[:32], opened[32:]
        must(name == self.name.encode(), "volume's name")
        keys = {label: K(secret, label, context) for label in ("chunk-id", "manifest", "seal", "sign")}
        keys["seal"] = X25519PrivateKey.from_private_bytes(keys["seal"])
        keys["sign"] = raw_public(Ed25519PrivateKey.from_private_bytes(keys["sign"]))
        must(raw_public(keys["seal"]).hex() == o["seal_public"] and keys["sign"].hex() == o["sign_public"], "public keys")
        self.keys[o["epoch"], o["key"]] = keys


class Snapshot:
    def __init__(self, volume, object_name):
        self.volume = volume
        content = volume.repository.read("%s/s/%s" % (volume.folder, object_name))
        unsafe = json.loads(base64.b64decode(json.loads(content)["payload"]))
        keys = volume.keys[unsafe["epoch"], unsafe["key"]]
        m = self.manifest = open_envelope(content, kind_of("manifest"), keys["sign"])
        must(m["format"] == "snapferry-manifest" and m["version"] == 1 and m["volume"] == volume.id.hex(), "manifest")
        must(m["snapshot"] + ".json" == object_name, "manifest's name")
        uuid = bytes.fromhex(m["snapshot"].replace("-", ""))
        self.private = json.loads(AESGCM(K(keys["manifest"], "private", uuid)).decrypt(
            NO_NONCE, bytes.fromhex(m["private"]), uuid))
        must(self.private["name"] == volume.name, "volume's name in the manifest")
        self.chunk_id = keys["chunk-id"]
        self.session_keys, self.sessions, self.packs = {}, {}, {}
        for s in m["sessions"]:
            self.add_session(bytes.fromhex(s["session"]), s["epoch"], s["key"], bytes.fromhex(s["sealed"]),
                             bytes.fromhex(s["commitment"]))
        self.lengths = self.read_packlist(self.joined(m["packlist"], PACKLIST))

    def add_session(self, session, epoch, key, sealed, commitment):
        self.sessions[session] = (epoch, bytes.fromhex(key), sealed, commitment)
        opened = hpke_open(self.volume.keys[epoch, key]["seal"], sealed, b"snapferry/1/session", self.volume.id + session)
        must(hashlib.sha256(b"snapferry/1/session" + session + opened).digest() == commitment, "commitment of a session")
        self.session_keys[session] = opened

    def read_packlist(self, data):
        c = Cursor(data)
        must(c.bytes(2) == b"L\x01", "no packlist")
        lengths = {}
        for _ in range(c.varint()):
            session = c.bytes(16)
            epoch, key = c.u32(), c.bytes(8).hex()
            sealed, commitment = c.bytes(80), c.bytes(32)
            self.add_session(session, epoch, key, sealed, commitment)
            for kind in "pm":
                seq = 0
                for _ in range(c.varint()):
                    seq += c.varint()
                    lengths[session, kind, seq] = c.varint()
                    c.varint()
        c.end()
        return lengths

    def pack(self, session, kind, seq):
        """The pack's bytes, its header, footer and trailer checked."""
        if (session, kind, seq) in self.packs:
            return self.packs[session, kind, seq]
        data = self.volume.repository.read("%s/%s/%s/%08x" % (self.volume.folder, kind, session.hex(), seq))
        epoch, key, sealed, commitment = self.sessions[session]
        header = (b"SFPK" + bytes([1, 1, ord(kind), 0]) + struct.pack("<II", seq, 0) + self.volume.id + session
                  + struct.pack("<II", epoch, 0) + key + sealed + commitment)
        must(len(header) == 176 and data[:176] == header, "header of a pack")
        offset, length, check, magic = struct.unpack("<II16s8s", data[-32:])
        must(magic == b"SFPKEND1" and offset + length + 32 == len(data), "footer of a pack")
        must(check == hashlib.sha256(header + data[-32:-24]).digest()[:16], "check of a footer")
        must(len(data) == padme(len(data)), "length of a pack")
        aead = AESGCM(K(self.session_keys[session], "pack",
                        self.volume.id + session + kind.encode() + struct.pack("<I", seq)))
        trailer = Cursor(aead.decrypt(bytes(4) + struct.pack(">Q", 1 << 63), data[offset:offset + length], header))
        records = {}
        count, at = trailer.u32(), 176
        must(trailer.u32() == 0, "reserved word of a trailer")
        for ordinal in range(count):
            ident, frame_kind, where, clen, plen, _, _ = struct.unpack("<32sB3xIIIQQ", trailer.bytes(64))
            must(where == at, "gap between frames")
            at += clen
            records[ordinal] = (ident, frame_kind, where, clen, plen)
        must(at == offset and not any(trailer.data[trailer.at:]), "end of the frames")
        self.packs[session, kind, seq] = data, aead, records
        return self.packs[session, kind, seq]

    def frame(self, f):
        kind = "p" if f.kind in (CHUNK, BUNDLE) else "m"
        data, aead, records = self.pack(f.session, kind, f.seq)
        must(records[f.ordinal][1:] == (f.kind, f.offset, f.clen, f.plen) and records[f.ordinal][0][:16] == f.id,
             "trailer and reference differ")
        opened = aead.decrypt(bytes(4) + struct.pack(">Q", f.ordinal), data[f.offset:f.offset + f.clen],
                              bytes([f.kind]) + struct.pack("<I", f.plen) + f.id)
        plain = opened[1:] if opened[0] == 0 else decompress(opened[1:], f.plen)
        must(opened[0] < 2 and len(plain) == f.plen, "length of a frame")
        must(self.ident(f.kind, plain) == records[f.ordinal][0], "id of a frame")
        return plain

    def ident(self, kind, plain):
        return hmac.digest(self.chunk_id, bytes([kind]) + plain, "sha256")

    def joined(self, frames, kind):
        return b"".join(self.frame(Frame(bytes.fromhex(f["session"]), f["seq"], f["ordinal"], f["offset"], f["clen"],
                                         f["plen"], kind, bytes.fromhex(f["id"]))) for f in frames)

    def entries(self):
        c = Cursor(self.joined(self.manifest["root"], ROOT))
        must(c.bytes(2) == b"R\x01", "no root")
        frames = reference_tables(c)
        entries, size, separator, seen, before = c.u64(), c.u64(), b"", [], None
        for _ in range(c.varint()):
            separator = separator[:c.varint()] + c.bytes(c.varint())
            frame, count = frames[c.varint()], c.varint()
            block = list(read_block(self.frame(frame)))
            must(len(block) == count and order(separator) <= order(block[0].path), "block and root differ")
            must(before is None or before < order(separator), "separator")
            for e in block:
                must(before is None or before < order(e.path), "order of the catalog")
                before = order(e.path)
            seen += block
        c.end()
        must(len(seen) == entries and sum(e.size for e in seen) == size, "sums of the root")
        return seen

    def content(self, e):
        extents = e.extents
        for n, f in enumerate(e.segments):
            c = Cursor(self.frame(f))
            must(c.bytes(2) == b"S\x01", "no segment")
            reader = Extents(reference_tables(c))
            part = reader.read(c, c.varint())
            c.end()
            must(sum(x[2] for x in part) == min(SEGMENT_SIZE, e.size - n * SEGMENT_SIZE), "length of a segment")
            extents = extents + part
        data = b"".join(bytes(length) if f is None else self.frame(f)[offset:offset + length]
                        for f, offset, length in extents)
        must(e.content_id is None or self.ident(SMALL_FILE, data)[:16] == e.content_id, "content id")
        return data


def order(path):
    """'/' sorts below every other byte."""
    return path.replace(b"/", b"\0")


def padme(n):
    e = math.floor(math.log2(n))
    step = 1 << (e - (math.floor(math.log2(e)) + 1))
    return -(-n // step) * step


def decompress(data, size):
    if zstandard is not None:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout


# ---- what list.py would say ----

def quote(raw):
    return "".join(chr(b) if chr(b).isalnum() and b < 128 or b in b"/._-" else "%%%02x" % b for b in raw) or "."


TYPES = {1: "file", 2: "folder", 3: "symlink", 6: "fifo"}


def lines(name, snapshot):
    groups = {}
    for e in snapshot.entries():
        data = snapshot.content(e)
        must(len(data) == e.size, "size of a file")
        digest = hashlib.sha256(data).hexdigest()
        if e.type == VOLUME:
            yield "%s image %d %s" % (name, e.size, digest)
            continue
        content = digest if e.type == FILE else quote(e.target) if e.type == SYMLINK else "-"
        xattrs = ",".join(quote(n) + "=" + v.hex() for n, v in read_attributes(e.xattrs) if n.startswith(b"user."))
        group = quote(groups.setdefault(e.inode, e.path)) if e.nlink > 1 and e.type != FOLDER else "-"
        yield " ".join(map(str, (name, TYPES[e.type], "%04o" % e.mode, e.mtime * 10**9 + e.mtime_ns, e.size, content,
                                 xattrs or "-", group, quote(e.path))))


def main():
    if len(sys.argv) not in (4, 5, 7):
        print(__doc__)
        return 2
    repository = Repository(sys.argv[1], sys.argv[2])
    volume = Volume(repository, sys.argv[3])
    manifests = repository.list(volume.folder + "/s")
    snapshot = Snapshot(volume, manifests[int(sys.argv[4]) if len(sys.argv) > 4 else -1])
    if len(sys.argv) == 7:
        name = sys.argv[6]
        with open(sys.argv[5]) as file:
            wanted = sorted(x.rstrip("\n") for x in file if x.startswith(name + " "))
        got = sorted(lines(name, snapshot))
        for text in sorted(set(wanted) ^ set(got)):
            print("-" if text in wanted else "+", text)
        must(got == wanted and len(got) > 0, "content is not as %s says" % sys.argv[5])
        print("%s: %d entries of snapshot %s are as they must be" % (name, len(got), snapshot.manifest["snapshot"]))
        return 0
    for text in lines("-", snapshot):
        print(text)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Bad as problem:
        print("reader.py:", problem)
        sys.exit(1)
