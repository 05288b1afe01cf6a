#!/usr/bin/env python3
"""Compress the shards of a model with dask, on one machine or on many.

    python compress_shards.py SOURCE TARGET [--pattern P] [--workers N] [--scheduler ADDRESS]

Each file of the folder SOURCE that matches the pattern becomes a file in the folder TARGET, which
all workers have to see under the same path. An interrupted run can be repeated: a file in TARGET is
complete once it has its name, and is compressed again only if its source is newer. It needs
`pip install zipnn-rs "dask[distributed]"`.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import zipnn_rs
from dask import bag
from dask.distributed import Client


def compress(source: pathlib.Path, target: pathlib.Path) -> tuple[str, int, int, str]:
    """Compress a file unless that is done, and return its name, both lengths and what happened."""
    length = source.stat().st_size
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return source.name, length, target.stat().st_size, "was complete"
    try:
        # Each worker compresses a file of its own, on one thread.
        compressed = zipnn_rs.compress_file(source, target, threads=1, overwrite=True)
    except (OSError, zipnn_rs.ZipnnError) as error:
        return source.name, length, 0, f"failed: {error}"
    return source.name, length, compressed, "compressed"


def main() -> int:
    """Compress all files, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--pattern", default="*.safetensors")
    parser.add_argument("--workers", type=int, help="worker processes on this machine")
    parser.add_argument("--scheduler", help="address of a running scheduler")
    options = parser.parse_args()

    sources = sorted(path.resolve() for path in options.source.glob(options.pattern))
    if not sources:
        print(f"no file in {options.source} matches {options.pattern}", file=sys.stderr)
        return 1
    options.target.mkdir(parents=True, exist_ok=True)
    pairs = [(path, options.target.resolve() / f"{path.name}.znn") for path in sources]

    cluster = (
        {"address": options.scheduler}
        if options.scheduler
        else {"n_workers": options.workers, "threads_per_worker": 1, "dashboard_address": None}
    )
    with Client(**cluster):
        results = bag.from_sequence(pairs, partition_size=1).starmap(compress).compute()
    for name, length, compressed, what in results:
        print(f"{name}: {what}, {length:,} bytes to {compressed:,}")
    return int(any(what.startswith("failed") for *_, what in results))


if __name__ == "__main__":
    sys.exit(main())
