#!/usr/bin/python3
"""Builds the two packs of test_pack.c from docs/format.md alone and prints their SHA-256.

Needs python3-cryptography for AES-GCM; everything else is the standard library."""

import hashlib
import hmac
import math
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def hkdf(key, label, context):
    prk = hmac.digest(bytes(32), key, "sha256")
    info = b"snapferry/1/" + label.encode() + b"\0" + context
    return hmac.digest(prk, info + b"\x01", "sha256")


def padme(n):
    e = math.floor(math.log2(n))
    s = math.floor(math.log2(e)) + 1
    step = 2 ** (e - s)
    return (n + step - 1) // step * step


def counting(first, length):
    return bytes(first + i for i in range(length))


VOLUME, KEYID, EPOCH = counting(0xA0, 16), counting(0xC0, 8), 0x01020304
SESSION, SESSION_KEY = counting(0x50, 16), counting(0x20, 32)
SEALED, COMMITMENT = counting(0x80, 80), counting(0x40, 32)
CHUNK_ID = hkdf(counting(0, 32), "chunk-id", b"golden")


def pack(kind, seq, frames):
    header = b"SFPK" + bytes([1, 1, ord(kind), 0]) + struct.pack("<II", seq, 0) + VOLUME + SESSION
    header += struct.pack("<II", EPOCH, 0) + KEYID + SEALED + COMMITMENT
    assert len(header) == 176
    aead = AESGCM(hkdf(SESSION_KEY, "pack", VOLUME + SESSION + kind.encode() + struct.pack("<I", seq)))
    body, records = header, b""
    for ordinal, (kind_of_frame, plain) in enumerate(frames):
        name = hmac.digest(CHUNK_ID, bytes([kind_of_frame]) + plain, "sha256")
        aad = struct.pack("<BI", kind_of_frame, len(plain)) + name[:16]
        sealed = aead.encrypt(struct.pack(">IQ", 0, ordinal), b"\0" + plain, aad)
        records += name + struct.pack("<B3xIIIQQ", kind_of_frame, len(body), len(sealed), len(plain), ordinal, len(plain))
        body += sealed
    trailer = struct.pack("<II", len(frames), 0) + records
    need = len(body) + len(trailer) + 16 + 32
    trailer += bytes(padme(need) - need)
    sealed = aead.encrypt(struct.pack(">IQ", 0, 2**63), trailer, header)
    place = struct.pack("<II", len(body), len(sealed))
    return body + sealed + place + hashlib.sha256(header + place).digest()[:16] + b"SFPKEND1"


PLAIN = bytes(i * i % 251 for i in range(5000))
DATA = pack("p", 7, [(1, PLAIN), (2, PLAIN[1:2]), (1, PLAIN[:0x123])])
METADATA = pack("m", 0xA0B0C0D0, [(kind, PLAIN[:100 * kind]) for kind in range(3, 8)])
print("GOLDEN_DATA    ", hashlib.sha256(DATA).hexdigest())
print("GOLDEN_METADATA", hashlib.sha256(METADATA).hexdigest())
