#!/usr/bin/env python3
"""Checks tests/format_reader.py against golden files and the example of docs/FORMAT.md.

    tests/format_check.py FOLDER...    # folders with golden files and their manifest.json
"""

import json
import re
import sys
from pathlib import Path

from format_reader import OLDER, decode, need, place, source_in


def golden(folders):
    """Decode golden files and compare them with what went in."""
    read = older = 0
    for folder in map(Path, folders):
        manifest = json.loads((folder / "manifest.json").read_text())
        for case in manifest["cases"] + manifest["synthetic"]:
            keys = [key for key in ("file", "original", "delta") if key in case]
            file, *data = ((folder / case[key]).read_bytes() for key in keys)
            if OLDER.match(file):
                older += 1
                continue
            original, *base = (part[: case["original_len"]] for part in data)
            with place(case["file"]):
                decoded = decode(file, *base or [None], source_in(folder))
                need(decoded == original, "this is not what went in")
            read += 1
    need(read, "there is no golden file of this layout")
    print(f"{read} golden files read; {older} skipped, as they are of older layouts")


def example():
    """Decode the file that stands in docs/FORMAT.md, and compare it with the data there."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "FORMAT.md").read_text()
    blocks = []
    for text in re.findall(r"```text (?:data|file)\n(.*?)```", page, re.S):
        blocks.append(b"")
        for at, pairs in re.findall(r"^(?:([0-9a-f]{4})  )?((?:[0-9a-f]{2}\b ?)+)", text, re.M):
            need(not at or int(at, 16) == len(blocks[-1]), f"the offset {at} is wrong")
            blocks[-1] += bytes.fromhex(pairs)
    need(len(blocks) == 2 and decode(blocks[1]) == blocks[0], "the example is wrong")
    print(f"The example is right: {len(blocks[1])} bytes decode to {len(blocks[0])}")


if __name__ == "__main__":
    example()
    golden(sys.argv[1:])
