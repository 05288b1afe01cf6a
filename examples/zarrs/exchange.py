"""Exchange arrays between Python and Rust: `python exchange.py COPY`, the path of that program.

Python writes arrays, Rust reads them and writes copies, and Python reads the copies.
"""

import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import zarr
import zipnn_rs
from zipnn_rs.numcodecs import Zipnn
from zipnn_rs.zarr import ZipnnCodec

warnings.simplefilter("ignore")

NUMBERS = np.random.default_rng(0).normal(0, 0.02, (700, 500)).astype("f4")
BITS = (NUMBERS.view("u4") >> 16).astype("u2")
VERSION_3 = {"compressors": [ZipnnCodec()]}
VERSION_2 = {"compressors": Zipnn(), "zarr_format": 2}
SHARDS = {"shards": (400, 400)} | VERSION_3
CASES = {
    "float32": (NUMBERS, VERSION_3),
    "float32, shards": (NUMBERS, SHARDS),
    "float32, version 2": (NUMBERS, VERSION_2),
    "float16, shards": (NUMBERS.astype("f2"), SHARDS),
    "float64": (NUMBERS.astype("f8"), VERSION_3),
    "big endian": (NUMBERS.astype(">f4"), VERSION_3),
    "integers, shards": (np.arange(350_000).reshape(700, 500), SHARDS),
    "integers, version 2": (np.arange(350_000).reshape(700, 500), VERSION_2),
    "bfloat16 as integers": (BITS, {"compressors": [ZipnnCodec(dtype="bfloat16")]}),
    "extended": (
        np.arange(350_000).reshape(700, 500),
        {"compressors": [ZipnnCodec(extended=True)]},
    ),
    "max": (NUMBERS, {"compressors": [ZipnnCodec(max=True)]}),
    "no checksums": (NUMBERS, {"compressors": [ZipnnCodec(checksums=False)]}),
}


def chunk(folder: pathlib.Path) -> bytes:
    """Return the chunk at the origin."""
    name = "c/0/0" if (folder / "zarr.json").exists() else "0.0"
    return (folder / name).read_bytes()


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    for case, (data, options) in CASES.items():
        source, target = folder / f"{case} by Python", folder / f"{case} by Rust"
        zarr.create_array(source, data=data, chunks=(100, 200), **options)
        subprocess.run(
            [sys.argv[1], source, target], check=True, stdout=subprocess.DEVNULL
        )
        copy = zarr.open_array(target, mode="r")
        assert copy.dtype.newbyteorder("=") == data.dtype.newbyteorder("="), case
        assert np.array_equal(copy[:], data), case
        assert np.array_equal(copy[350:460:3, 7], data[350:460:3, 7]), case
        if "shards" not in options:
            one, other = zipnn_rs.info(chunk(source)), zipnn_rs.info(chunk(target))
            assert one == other, (case, one, other)
print(f"{len(CASES)} arrays are equal after Python, Rust and Python")
