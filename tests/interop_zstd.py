#!/usr/bin/env python3
"""Exchanges Zstandard frames of the extended profile with the reference implementation.

usage: interop_zstd.py ZIPNN_BINARY [FILE...]

Needs a Python with the packages `zstandard` and `numpy`. Compresses data of several kinds, and the
files that are named, with `--extended`. Every plane that is a Zstandard frame is decoded by the
reference and stored raw: the file must still decode to the data. Then the planes are stored as the
reference's own frames, of several levels and kinds: the same. Where `zipnn` (0.5.4) is installed, it
must refuse the extended file and read the one with raw planes. The exit status is 0 if all went well.
"""

import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np
import zstandard

try:
    from zipnn import ZipNN
except ImportError:
    ZipNN = None

HEADER = 32
ZSTD = 2
# Our name of each type: its code, its planes, and what the original calls it.
TYPES = {
    "bf16": (6, 2, "bfloat16"),
    "f16": (4, 2, "float16"),
    "f32": (1, 4, "float32"),
    "f8e4m3": (29, 1, "float8_e4m3fn"),
}
KINDS = [
    {"level": level, "write_checksum": checksum, "write_content_size": size}
    for level in (-5, 1, 3, 9, 19)
    for checksum in (False, True)
    for size in (False, True)
]


class Frame:
    """A frame without an annex, taken apart."""

    def __init__(self, data):
        self.header = bytearray(data[:HEADER])
        self.decoded, self.len = struct.unpack_from("<QQ", data, 16)
        planes = {code: planes for code, planes, _ in TYPES.values()}[data[15]]
        chunk_len = 1 << data[14]
        if planes == 1:
            chunk_len = min(chunk_len, 128 << 10)
        chunks = -(-self.decoded // chunk_len)
        count = planes * chunks
        self.methods = bytearray(data[HEADER : HEADER + count])
        ends = struct.unpack_from(f"<{count}Q", data, HEADER + count)
        self.stored, self.plane_lens = [], []
        at = HEADER + 9 * count
        for plane in range(planes):
            start = 0
            for chunk in range(chunks):
                end = ends[plane * chunks + chunk]
                self.stored.append(data[at + start : at + end])
                start = end
                length = min(chunk_len, self.decoded - chunk * chunk_len)
                self.plane_lens.append((length + planes - 1 - plane) // planes)
            at += start
        self.chunks = chunks

    def to_bytes(self):
        ends = []
        for index, stored in enumerate(self.stored):
            before = ends[-1] if index % self.chunks else 0
            ends.append(before + len(stored))
        count = len(ends)
        body = bytes(self.methods) + struct.pack(f"<{count}Q", *ends) + b"".join(self.stored)
        struct.pack_into("<Q", self.header, 24, HEADER + len(body))
        return bytes(self.header) + body


def frames(data):
    while data:
        frame = Frame(data)
        yield frame
        data = data[frame.len :]


def samples():
    random = np.random.default_rng(1)
    weights = random.normal(0, 0.03, 1_500_000).astype(np.float32)
    sparse = np.where(random.random(len(weights)) < 0.9, 0, weights).astype(np.float32)
    rows = weights.reshape(-1, 500).copy()
    rows[random.random(len(rows)) < 0.7] = 0
    yield "f32", "weights", weights.tobytes()
    for kind, data in ("sparse", sparse), ("rows", rows.ravel()):
        yield "f32", kind, data.tobytes()
        yield "f16", kind, data.astype(np.float16).tobytes()
        yield "bf16", kind, (data.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    difference = (random.random(1_500_000) < 0.05).astype(np.uint16) << random.integers(0, 3)
    yield "bf16", "difference", difference.tobytes()
    yield "f8e4m3", "numbers", np.arange(200_000, dtype=np.int64).tobytes()
    yield "f8e4m3", "short", bytes(1000) + b"abc" + bytes(997)


class Exchange:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.count = self.failures = self.planes = 0

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())

    def check(self, what, good):
        self.count += 1
        if not good:
            self.failures += 1
            print("FAILED", what)

    def decode(self, packed):
        path = self.folder / "packed.znn"
        path.write_bytes(packed)
        self.run("decompress", "-q", "-f", path, "-o", self.folder / "unpacked")
        return (self.folder / "unpacked").read_bytes()

    def exchange(self, name, what, data):
        what = f"{name}, {what}"
        (self.folder / "data").write_bytes(data)
        packed = self.folder / "data.znn"
        extra = ["--dtype", name] if name else []
        self.run(
            "compress", "-q", "-f", "--plain", "--extended", self.folder / "data", "-o", packed, *extra
        )
        parts = list(frames(packed.read_bytes()))
        planes = []
        for frame in parts:
            for index, method in enumerate(frame.methods):
                if method == ZSTD:
                    length = frame.plane_lens[index]
                    # `max_output_size` counts only where the frame says nothing.
                    plane = zstandard.ZstdDecompressor().decompress(frame.stored[index])
                    self.check(f"{what}: length of a plane", len(plane) == length)
                    planes.append((frame, index, plane))
        self.planes += len(planes)
        for frame, index, plane in planes:
            frame.methods[index], frame.stored[index] = 0, plane
        raw = b"".join(frame.to_bytes() for frame in parts)
        self.check(f"{what}: decoded by the reference", self.decode(raw) == data)
        if ZipNN and name and planes:
            options = {"bytearray_dtype": TYPES[name][2], "is_streaming": True}
            theirs = ZipNN(**options).decompress(bytearray(raw))
            self.check(f"{what}: raw planes, read by the original", bytes(theirs) == data)
            try:
                ZipNN(**options).decompress(bytearray(packed.read_bytes()))
                refused = False
            except Exception:
                refused = True
            self.check(f"{what}: refused by the original", refused)
        for kind in KINDS:
            coder = zstandard.ZstdCompressor(**kind)
            for frame, index, plane in planes:
                coded = coder.compress(plane)
                is_shorter = len(coded) < len(plane)
                frame.methods[index] = ZSTD if is_shorter else 0
                frame.stored[index] = coded if is_shorter else plane
            theirs = b"".join(frame.to_bytes() for frame in parts)
            self.check(f"{what}: encoded by the reference, {kind}", self.decode(theirs) == data)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(Path(sys.argv[1]).resolve(), Path(folder))
        for name, what, data in samples():
            exchange.exchange(name, what, data)
        for path in sys.argv[2:]:
            exchange.exchange(None, path, Path(path).read_bytes())
    print(
        f"{exchange.count} exchanges of {exchange.planes} planes, {exchange.failures} failed, "
        f"zstd {'.'.join(map(str, zstandard.ZSTD_VERSION))}, "
        f"the original {'was' if ZipNN else 'was not'} there"
    )
    sys.exit(bool(exchange.failures))


if __name__ == "__main__":
    main()
