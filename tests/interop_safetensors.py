#!/usr/bin/env python3
"""Exchanges files of compressed tensors with the original ZipNN, through the command line.

usage: interop_safetensors.py ZIPNN_BINARY [MODEL.safetensors ...]

What `zipnn compress --inside-safetensors` writes is loaded through the original's `SafeOpen` and
through `safetensors.torch.safe_open` as the original patches it; what the original writes is
decompressed and, where it is damaged, repaired. Needs a Python with the packages `zipnn` (0.5.4),
`torch`, `safetensors` and `numpy`. Prints how many exchanges there were; the exit status is 0 if all
went well.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

import safetensors.torch
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from zipnn import ZipNN, zipnn_safetensors
from zipnn.util_safetensors import build_compressed_tensor_info, set_compressed_tensors_metadata
from zipnn.zipnn import SafeOpen

FLOATS = [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]


def zoo(seed, scale):
    """Tensors of every type and many shapes."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(*shape, generator=generator) * scale
    tensors = {
        "ids": torch.arange(30),
        "mask": torch.tensor([True, False]),
        "bytes": torch.arange(200, dtype=torch.uint8),
        "f64": normal(20, 5).double(),
        "scalar": torch.tensor(1.5),
        "empty": torch.empty(0, 5, dtype=torch.bfloat16),
    }
    for dtype in FLOATS:
        name = str(dtype).removeprefix("torch.")
        tensors[f"{name}.large"] = normal(700, 301).to(dtype)
        tensors[f"{name}.odd"] = normal(1003).to(dtype)
        tensors[f"{name}.deep"] = normal(3, 4, 5, 6, 7).to(dtype)
        tensors[f"{name}.zeros"] = torch.zeros(999).to(dtype)
        tensors[f"{name}.ones"] = torch.ones(8).to(dtype)
        tensors[f"{name}.three"] = torch.tensor([1.0, -2.0, 0.5]).to(dtype)
        bits = torch.randint(0, 256, (4000,), generator=generator, dtype=torch.uint8)
        tensors[f"{name}.noise"] = bits.view(dtype)
    return tensors


def same(one, other):
    """Whether tensors have the same type, shape and bits."""
    bits = lambda tensor: tensor.contiguous().reshape(-1).view(torch.uint8)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return one.numel() == 0 or torch.equal(bits(one), bits(other))


def compress_as_the_original(tensors, path, metadata, rotates=True):
    """What the original's script does with tensors, its mistakes included.

    Without `rotates`, it is what the script would do if it did not change tensors in place.
    """
    stored, listed = {}, {}
    for name, tensor in tensors.items():
        stored[name] = tensor.clone()
        if tensor.dtype not in FLOATS:
            continue
        work = tensor.clone()
        codec = ZipNN(input_format="torch", bytearray_dtype=tensor.dtype, method="HUFFMAN")
        frame = codec.compress(work)
        if len(frame) < tensor.nelement() * tensor.element_size():
            stored[name] = torch.frombuffer(bytearray(frame), dtype=torch.uint8)
            listed[name] = build_compressed_tensor_info(tensor)
        elif rotates:
            stored[name] = work
    set_compressed_tensors_metadata(listed, metadata)
    save_file(stored, path, metadata)
    return [name for name in tensors if name not in listed and not same(stored[name], tensors[name])]


def plain_load(path):
    """All tensors of a file as it stores them."""
    with safe_open(str(path), "pt", "cpu") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


class Exchange:
    """Counts exchanges, and runs the program in a folder of its own."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder
        self.count = 0
        self.failures = []

    def run(self, *arguments):
        done = subprocess.run(
            [self.binary, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder
        )
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.stderr.strip()} {done.stdout.strip()}")

    def check(self, what, good):
        self.count += 1
        if not good:
            self.failures.append(what)
            print("FAILED", what)

    def ours(self, name, source):
        """Reads what we write with the original."""
        source = Path(source)
        expected = plain_load(source)
        for options in [[], ["--plain"]]:
            packed = self.folder / "ours.znn.safetensors"
            self.run("compress", "--inside-safetensors", "-f", *options, source, "-o", packed)
            self.check(f"{name}: smaller", packed.stat().st_size < source.stat().st_size)
            with SafeOpen(str(packed), "pt", "cpu") as file:
                self.check(f"{name}: names", sorted(file.keys()) == sorted(expected))
                for tensor in file.keys():
                    good = same(file.get_tensor(tensor), expected[tensor])
                    self.check(f"{name}: SafeOpen {options} {tensor}", good)
            # As model servers load it. `load_file` passes the patch arguments that it does not know.
            with safetensors.torch.safe_open(str(packed), framework="pt") as file:
                for tensor in file.keys():
                    good = same(file.get_tensor(tensor), expected[tensor])
                    self.check(f"{name}: patched safe_open {tensor}", good)
            self.run("decompress", "-f", packed, "-o", "back")
            good = (self.folder / "back").read_bytes() == source.read_bytes()
            self.check(f"{name}: the same bytes", good)

    def theirs(self, name, tensors, metadata):
        """Reads what the original writes, and mends it."""
        packed = self.folder / "theirs.znn.safetensors"
        rotated = compress_as_the_original(tensors, packed, metadata)
        damaged = plain_load(packed)
        self.run("decompress", "-f", packed, "-o", "theirs.safetensors")
        restored = plain_load(self.folder / "theirs.safetensors")
        for tensor in tensors:
            expected = damaged[tensor] if tensor in rotated else tensors[tensor]
            self.check(f"{name}: {tensor}", same(restored[tensor], expected))
        self.run("repair", "-f", packed, "-o", "mended.znn.safetensors")
        self.run("decompress", "-f", "mended.znn.safetensors", "-o", "mended.safetensors")
        mended = plain_load(self.folder / "mended.safetensors")
        for tensor in tensors:
            self.check(f"{name}: mended {tensor}", same(mended[tensor], tensors[tensor]))
        with SafeOpen(str(self.folder / "mended.znn.safetensors"), "pt", "cpu") as file:
            for tensor in tensors:
                good = same(file.get_tensor(tensor), tensors[tensor])
                self.check(f"{name}: mended for the original, {tensor}", good)
        # As if the script did not rotate: nothing to mend.
        compress_as_the_original(tensors, packed, metadata and dict(metadata), rotates=False)
        self.run("repair", "-f", packed, "-o", "mended.znn.safetensors")
        mended = plain_load(self.folder / "mended.znn.safetensors")
        for tensor, expected in plain_load(packed).items():
            self.check(f"{name}: left alone, {tensor}", same(mended[tensor], expected))
        return rotated


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    zipnn_safetensors()
    with tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(str(Path(sys.argv[1]).resolve()), Path(folder))
        for seed, scale in enumerate([0.03, 1.0, 1e-3]):
            tensors = zoo(seed, scale)
            for number, metadata in enumerate([None, {"format": "pt"}, {"format": "pt", "a": "é\""}]):
                name = f"zoo {seed}.{number}"
                source = Path(folder) / "zoo.safetensors"
                save_file(tensors, source, metadata)
                exchange.ours(name, source)
                floats = {k: v for k, v in tensors.items() if v.dtype != torch.float64}
                rotated = exchange.theirs(name, floats, metadata and dict(metadata))
                exchange.check(f"{name}: there was something to mend", len(rotated) > 5)
        for model in sys.argv[2:]:
            exchange.ours(model, Path(model).resolve())
            tensors = plain_load(Path(model))
            exchange.theirs(model, tensors, {"format": "pt"})
            exchange.theirs(f"{model}, without a list", tensors, None)
    print(json.dumps({"exchanges": exchange.count, "failures": len(exchange.failures)}))
    sys.exit(bool(exchange.failures))


if __name__ == "__main__":
    main()
