#!/usr/bin/env python3
"""Compare zipnn_rs with the original package zipnn, in one process.

    python bench.py FILE DTYPE [--rounds N] [--threads N] [--megabytes N] [--cpu]

Calls of both take turns in random order, as the memory that one call frees speeds up or slows down
the next, and each makes a new result. Printed are medians in GB/s of uncompressed
data, and their ratio to the original's. With --cpu they are of processor time, which hardly depends
on what else the machine does, instead of wall time. It needs `pip install zipnn zipnn-rs`.
"""

import argparse
import gc
import pathlib
import random
import statistics
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")

import zipnn_rs
from zipnn import ZipNN


def huge_pages():
    """Return the system's setting of huge pages."""
    path = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    text = path.read_text() if path.exists() else "[unknown]"
    return text[text.index("[") + 1 : text.index("]")]


def measure(cases, rounds, length, clock):
    """Time each case once a round, and print medians."""
    times = {name: [] for name in cases}
    gc.disable()
    for _ in range(rounds):
        for name, (prepare, call) in random.sample(list(cases.items()), len(cases)):
            data = prepare()
            start = clock()
            result = call(data)
            times[name].append(clock() - start)
            del result, data
    gc.enable()
    medians = {name: statistics.median(each) for name, each in times.items()}
    first = next(iter(medians.values()))
    for name, seconds in medians.items():
        print(f"  {name:34} {length / seconds / 1e9:6.2f} GB/s {first / seconds:6.2f} x")
    sys.stdout.flush()


def main():
    """Measure both directions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("dtype")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--megabytes", type=int, default=64, help="repeat the file up to this size")
    parser.add_argument("--cpu", action="store_true", help="measure processor time")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    content = pathlib.Path(options.file).read_bytes()
    raw = content * max(1, options.megabytes * 1_000_000 // len(content))
    dtype, threads = options.dtype, options.threads

    original = ZipNN(bytearray_dtype=dtype, threads=threads)
    file = original.compress(bytes(bytearray(raw)))
    ours = zipnn_rs.compress(raw, dtype, threads=threads, checksums=False)
    assert zipnn_rs.decompress(file) == raw
    assert original.decompress(ours) == raw
    plain = {"threads": threads, "checksums": False}
    checked = zipnn_rs.compress(raw, dtype, threads=threads)
    out = np.ones(zipnn_rs.compress_bound(len(raw), dtype), np.uint8)
    print(
        f"{dtype}, {len(raw):,} bytes, {threads} threads,"
        f" {'processor' if options.cpu else 'wall'} time, huge pages {huge_pages()}:"
        f" {len(file) / len(raw):.4f} by the original, {len(ours) / len(raw):.4f} by zipnn_rs"
    )

    def fresh():
        # The original modifies its input.
        return bytes(bytearray(raw))

    def nothing():
        return None

    print("compress")
    measure(
        {
            "original": (fresh, original.compress),
            "compress_bytearray": (
                fresh,
                lambda data: zipnn_rs.compress_bytearray(data, dtype, **plain),
            ),
            "compress": (fresh, lambda data: zipnn_rs.compress(data, dtype, **plain)),
            "compress, with checksums": (
                fresh,
                lambda data: zipnn_rs.compress(data, dtype, threads=threads),
            ),
            "compress_into": (
                fresh,
                lambda data: zipnn_rs.compress_into(data, out, dtype, **plain),
            ),
        },
        options.rounds,
        len(raw),
        clock,
    )
    print("decompress")
    measure(
        {
            "original": (nothing, lambda _: original.decompress(file)),
            "decompress": (nothing, lambda _: zipnn_rs.decompress(file, threads=threads)),
            "decompress, with checksums": (
                nothing,
                lambda _: zipnn_rs.decompress(checked, threads=threads),
            ),
            "decompress_into": (
                nothing,
                lambda _: zipnn_rs.decompress_into(file, out, threads=threads),
            ),
        },
        options.rounds,
        len(raw),
        clock,
    )


if __name__ == "__main__":
    main()
