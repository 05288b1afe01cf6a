#!/usr/bin/env python3
"""Exchanges files with the original ZipNN, in both directions, through the command line.

usage: interop.py ZIPNN_BINARY [SEED]

ZIPNN_BINARY may also come from the environment. Needs a Python with the packages `zipnn` (0.5.4),
`torch` and `numpy`. Prints how many exchanges there were; the exit status is 0 if all went well.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import numpy as np
import torch
from zipnn import ZipNN

# Our name of each type: the original's, and PyTorch's.
TYPES = {
    "bf16": ("bfloat16", torch.bfloat16),
    "f16": ("float16", torch.float16),
    "f32": ("float32", torch.float32),
    "f8e4m3": ("float8_e4m3fn", torch.float8_e4m3fn),
    "f8e5m2": ("float8_e5m2", torch.float8_e5m2),
}
# Multiples of 4: with other lengths, what the original does is undefined.
LENGTHS = [4, 8, 48, 400, 4096, 65_536, 262_144, 262_148, 600_000, 1_048_576 + 12]
STREAMING_CHUNK = 1 << 16
# More than one of our frames.
LONG = (9 << 20) + 4
SHAPES = [(1,), (4,), (3, 4), (255, 4), (256, 2), (2, 3, 4, 5), (70_000,), (1, 512, 640)]


def kinds(name, length, random):
    """Data of every kind, as bytes."""
    torch_type = TYPES[name][1]
    numbers = torch.from_numpy(random.normal(0, 0.03, length).astype(np.float32))
    normal = numbers.to(torch_type).contiguous().view(torch.uint8).numpy().tobytes()
    yield "normal", normal[:length]
    yield "random", random.integers(0, 256, length, dtype=np.uint8).tobytes()
    yield "constant", bytes([int(random.integers(0, 256))]) * length
    skewed = np.minimum(random.geometric(float(random.uniform(0.05, 0.9)), length) - 1, 255)
    yield "skewed", skewed.astype(np.uint8).tobytes()


class Exchange:
    """Counts exchanges, and runs the program in a folder of its own."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.raw = folder / "data"
        self.base = folder / "base"
        self.packed = folder / "data.znn"
        self.unpacked = folder / "unpacked"
        self.count = 0
        self.failures = []

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())

    def check(self, what, decode, expected):
        self.count += 1
        try:
            good = decode() == expected
            message = "other data"
        except Exception as error:  # whatever the original raises
            good, message = False, error
        if not good:
            self.failures.append(f"{what}: {message}")
            print("FAILED", self.failures[-1])

    def ours(self, packed, delta):
        """What we make of a file."""
        self.packed.write_bytes(packed)
        arguments = ["--delta", self.base] if delta else []
        self.run("decompress", "-q", "-f", self.packed, "-o", self.unpacked, *arguments)
        self.run("verify", "-q", self.packed, *arguments)
        return self.unpacked.read_bytes()

    def theirs(self, name, data, base):
        """What the original makes of a file of ours. A fresh object: used ones remember."""
        self.raw.write_bytes(data)
        arguments = ["--delta", self.base] if base else []
        self.run(
            "compress", "-q", "-f", "--dtype", name, self.raw, "-o", self.packed, *arguments
        )
        packed = self.packed.read_bytes()
        original = ZipNN(**original_options(name, base))
        return bytes(original.decompress(bytearray(packed), delta_second_data=base))


def original_options(name, base, streaming=False):
    options = {"bytearray_dtype": TYPES[name][0]}
    if base:
        options["delta_compressed_type"] = "byte"
    if streaming:
        options |= {"is_streaming": True, "streaming_chunk": STREAMING_CHUNK}
    return options


def exchange_bytes(exchange, what, name, data, base):
    if base:
        exchange.base.write_bytes(base)
    for streaming in (False, True):
        original = ZipNN(**original_options(name, base, streaming))
        # Copies: the original rotates the bits of its input in place.
        second = bytearray(base) if base else None
        packed = bytes(original.compress(bytearray(data), delta_second_data=second))
        mode = "streaming" if streaming else "one frame"
        exchange.check(
            f"{what}, {mode}, theirs by us", lambda: exchange.ours(packed, bool(base)), data
        )
    exchange.check(f"{what}, ours by them", lambda: exchange.theirs(name, data, base), data)


def exchange_tensor(exchange, name, shape, random):
    torch_type = TYPES[name][1]
    numbers = torch.from_numpy(random.normal(0, 0.03, shape).astype(np.float32)).to(torch_type)
    data = numbers.contiguous().view(torch.uint8).numpy().tobytes()
    packed = bytes(ZipNN(input_format="torch").compress(numbers.clone()))
    what = f"{name}, tensor {shape}, theirs by us"
    exchange.check(what, lambda: exchange.ours(packed, False), data)


def safetensors(tensors):
    """A file of pairs of a type and its bytes."""
    header, data = {}, b""
    for number, (dtype, element, part) in enumerate(tensors):
        shape, start = [len(part) // element], len(data)
        data += part
        header[str(number)] = {"dtype": dtype, "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def exchange_layouts(exchange, random):
    """Files whose frames differ in planes, rotation and length, and have all our annexes."""
    count = 300_000
    normal = random.normal(0, 0.03, count)
    f32 = normal.astype(np.float32)
    f16, bf16 = (torch.from_numpy(f32).to(kind).contiguous().view(torch.uint8).numpy().tobytes()
                 for kind in (torch.float16, torch.bfloat16))
    ids = random.geometric(0.001, count)
    mixed = [
        ("I64", 8, ids.astype(np.int64).tobytes()),
        ("F64", 8, normal.tobytes()),
        ("F32", 4, f32.tobytes()),
        ("F32", 4, np.float32(np.float16(f32)).tobytes()),
        ("I32", 4, ids.astype(np.int32).tobytes()),
        ("BF16", 2, bf16),
        ("BF16", 2, f16),
        ("F16", 2, f16[: 200_006]),
        ("I16", 2, ids.astype(np.int16).tobytes()),
        ("BOOL", 1, (normal > 0.05).astype(np.uint8).tobytes()),
        ("U8", 1, bf16),
        ("F8_E4M3", 1, f16[1::2][: 100_003]),
    ]
    files = {"mixed": safetensors(mixed), "one type": safetensors([("F32", 4, f32.tobytes())])}
    for shift in (1, 2, 3):
        files[f"unknown, shifted by {shift}"] = bytes(shift) + f32.tobytes() + bytes(1) + bf16
    models = Path(__file__).parent.parent.parent / "shared" / "models"
    for model in sorted(models.glob("*.safetensors")):
        files[model.name] = model.read_bytes()
    for name, data in files.items():
        exchange.raw.write_bytes(data)
        exchange.run("compress", "-q", "-f", exchange.raw, "-o", exchange.packed)
        packed = exchange.packed.read_bytes()
        print(f"{name}: {len(data)} -> {len(packed)} bytes")
        decode = lambda: bytes(ZipNN(is_streaming=True).decompress(bytearray(packed)))
        exchange.check(f"{name}, ours by them", decode, data)


def exchange_all(exchange, seed):
    random = np.random.default_rng(seed)
    exchange_layouts(exchange, random)
    for name in TYPES:
        for length in LENGTHS:
            for kind, data in kinds(name, length, random):
                exchange_bytes(exchange, f"{name}, {kind}, {length} bytes", name, data, None)
        for length in (400, 262_148, 600_000):
            for kind, data in kinds(name, length, random):
                base = bytearray(data)
                for at in random.integers(0, length, length // 8):
                    base[at] ^= 1 << int(random.integers(0, 8))
                what = f"{name}, {kind}, {length} bytes, delta"
                exchange_bytes(exchange, what, name, data, bytes(base))
        for kind, data in kinds(name, LONG, random):
            exchange_bytes(exchange, f"{name}, {kind}, {LONG} bytes", name, data, None)
        for shape in SHAPES:
            exchange_tensor(exchange, name, shape, random)


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ZIPNN_BINARY")
    if not binary:
        sys.exit(__doc__)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(Path(binary).resolve(), Path(folder))
        exchange_all(exchange, seed)
    print(f"{exchange.count} exchanges, {len(exchange.failures)} failed")
    sys.exit(bool(exchange.failures))


if __name__ == "__main__":
    main()
