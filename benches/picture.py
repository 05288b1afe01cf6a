#!/usr/bin/env python3
"""Compare zipnn with other codecs in one process, and draw the picture of the README.

    benches/picture.py [FILE:TYPE ...]

It writes docs/speed-light.svg and docs/speed-dark.svg, and prints a table. TYPE is bf16, f32, f16,
f8e4m3 or f8e5m2. Without files, the script measures the files in ../shared/models beside the
repository.

Every codec works on one thread, in memory, without checksums, and returns new memory for each
piece. Pieces have 4 MiB, except that zipnn and lmzip divide files by their tensors, as their
programs do. The codecs take turns in random order: one processes all pieces of a file twice, of
which the second pass counts, then the next. Each result is decompressed and compared with the data.
The time of a file is the sum of its pieces' medians, so that a call that another process interrupts
does not count. On a busy machine, use --cpu: there, all long calls are interrupted.

It needs these packages, and a C compiler, with which lmzip builds its kernels on first use:

    pip install zipnn torch zstandard lz4 lmzip
    python/build.sh && pip install target/wheels/*.whl
"""

import argparse
import gc
import importlib.metadata
import itertools
import json
import os
import pathlib
import random
import statistics
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from against_original import DEFAULT_FILES, NAMES, imported, processor

PIECE = 4 << 20
# Tensors from this length on get pieces of their own.
LARGE = 256 << 10
DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"


@dataclass
class Codec:
    """A codec, its pieces of a file, and how long it takes for each of them."""

    name: str
    compress: Callable
    decompress: Callable
    # The arguments of `compress`, of which the first one is the data.
    pieces: list
    compressed: list = field(default_factory=list)
    compress_times: list = field(default_factory=list)
    decompress_times: list = field(default_factory=list)
    # Makes the arguments of `compress` from a piece; its time does not count.
    prepare: Callable = lambda *piece: piece
    # Returns the length of what `compress` returns.
    length: Callable = len

    def check(self):
        """Compress all pieces, and exit unless they come back."""
        for piece in self.pieces:
            compressed = self.compress(*self.prepare(*piece))
            if bytes(self.decompress(compressed)) != bytes(piece[0]):
                sys.exit(f"{self.name} does not restore the data")
            self.compressed.append(compressed)
        self.compress_times = [[] for _ in self.pieces]
        self.decompress_times = [[] for _ in self.pieces]

    def measure(self, clock):
        """Process all pieces twice in both directions, and keep the times of the second pass."""
        inputs = [(self.compress, piece, self.prepare) for piece in self.pieces]
        outputs = [(self.decompress, (file,), lambda *file: file) for file in self.compressed]
        for calls, times in ((inputs, self.compress_times), (outputs, self.decompress_times)):
            run(calls, clock)
            for kept, seconds in zip(times, run(calls, clock), strict=True):
                kept.append(seconds)

    def row(self):
        """Return the name, the relative size, and both speeds in bytes a second."""
        length = sum(len(piece[0]) for piece in self.pieces)
        stored = sum(self.length(file) for file in self.compressed)
        seconds = (sum(map(statistics.median, times)) for times in self.times)
        return self.name, stored / length, *(length / taken for taken in seconds)

    @property
    def times(self):
        return self.compress_times, self.decompress_times


def run(calls, clock):
    """Return the duration of each call."""
    times = []
    for call, arguments, prepare in calls:
        arguments = prepare(*arguments)
        start = clock()
        result = call(*arguments)
        times.append(clock() - start)
        del result, arguments
    return times


def by_tensors(data):
    """Return the pieces of a safetensors file: its large tensors, and what is between them."""
    (header,) = struct.unpack_from("<Q", data)
    tensors = json.loads(data[8 : 8 + header])
    tensors.pop("__metadata__", None)
    edges = {0, len(data)}
    for tensor in tensors.values():
        start, end = (8 + header + offset for offset in tensor["data_offsets"])
        if end - start >= LARGE:
            edges.update(range(start, end, PIECE), (end,))
    return [(data[start:end],) for start, end in itertools.pairwise(sorted(edges))]


def ours(zipnn_rs, name, dtype, pieces, **profile):
    """Return the codec of this repository."""
    choices = {"threads": 1, "checksums": False, **profile}
    return Codec(
        name,
        lambda data: zipnn_rs.compress(data, dtype, **choices),
        lambda file: zipnn_rs.decompress(file, threads=1),
        pieces,
    )


def lmzip(path):
    """Return lmzip, as its program calls it for the chunks into which it divides a file."""
    from lmz import api, codec, kernels, planner

    if kernels.backend() == "python":
        sys.exit("lmzip cannot build its kernels: install a C compiler")
    data = path.read_bytes()
    with path.open("rb") as file:
        layout = planner.probe(file, len(data))
    chunks = planner.chunkify(layout, len(data), api.DEFAULT_CHUNK_SIZE)
    pieces = [
        (data[start:end], esize, kind, btype) for start, end, esize, kind, _, btype, _ in chunks
    ]

    def compress(piece, esize, kind, btype):
        parts, method, flags, _ = codec.encode_chunk(
            piece, esize, api.DEFAULT_LEVEL, checksum=False, kind=kind, btype=btype
        )
        return b"".join(parts), method, esize, flags, len(piece)

    def decompress(chunk):
        return codec.decode_chunk(*chunk, verify=False)

    return Codec("lmzip", compress, decompress, pieces, length=lambda chunk: len(chunk[0]))


def codecs(path, dtype, original_class, zipnn_rs):
    """Return all codecs for a file, in the order of the picture."""
    import lz4.block
    import zstandard

    data = path.read_bytes()
    data = data[: len(data) // 4 * 4]
    tensors = by_tensors(data)
    pieces = [(data[at : at + PIECE],) for at in range(0, len(data), PIECE)]
    original = original_class(bytearray_dtype=dtype, threads=1)
    zstd = zstandard.ZstdCompressor(level=1), zstandard.ZstdDecompressor()
    return [
        ours(zipnn_rs, "zipnn", dtype, tensors),
        ours(zipnn_rs, "zipnn --extended", dtype, tensors, extended=True),
        ours(zipnn_rs, "zipnn --max", dtype, tensors, max=True),
        Codec(
            "the original",
            original.compress,
            original.decompress,
            pieces,
            # It modifies its input.
            prepare=lambda data: (bytearray(data),),
        ),
        lmzip(path),
        Codec("zstd -1", zstd[0].compress, zstd[1].decompress, pieces),
        Codec("lz4", lz4.block.compress, lz4.block.decompress, pieces),
    ]


def measure(argument, options, original_class, zipnn_rs):
    """Return the title of a file and the rows of all codecs."""
    path, _, kind = argument.rpartition(":")
    if kind not in NAMES:
        sys.exit(f"{argument}: name the file and its type: FILE:{'|'.join(NAMES)}")
    path = pathlib.Path(path)
    if not path.is_file():
        sys.exit(f"{path}: no such file; name files to measure: FILE:TYPE")
    candidates = codecs(path, NAMES[kind], original_class, zipnn_rs)
    for candidate in candidates:
        candidate.check()
    clock = time.process_time if options.cpu else time.perf_counter
    gc.disable()
    for _ in range(options.rounds):
        for candidate in random.sample(candidates, len(candidates)):
            candidate.measure(clock)
    gc.enable()
    name = path.name.removesuffix(".safetensors").rsplit(".", 1)[0]
    title = f"{NAMES[kind]}, {path.stat().st_size / 1e6:.1f} MB of {name}"
    return title, [candidate.row() for candidate in candidates]


def table(title, rows):
    """Return the results of a file as a table in Markdown."""
    lines = [f"| {title} | size | compress | decompress |", "|---|--:|--:|--:|"]
    for name, size, compress, decompress in rows:
        speeds = f"{compress / 1e9:.2f} GB/s | {decompress / 1e9:.2f} GB/s"
        lines.append(f"| {name} | {percent(size)} | {speeds} |")
    return "\n".join(lines) + "\n"


LIGHT = {"ground": "#ffffff", "text": "#1f2328", "faint": "#59636e", "line": "#d1d9e0"}
LIGHT |= {"ours": "#bc4c00", "theirs": "#8da4bf"}
DARK = {"ground": "#0d1117", "text": "#f0f6fc", "faint": "#9198a1", "line": "#3d444d"}
DARK |= {"ours": "#f0883e", "theirs": "#54708f"}

WIDTH, MARGIN, ROW, TITLE, HEAD, FOOT = 880, 16, 20, 36, 38, 40
# Where the columns begin, and the length of the longest bar.
COLUMNS, BAR = (160, 405, 645), 165
HEADS = ("size, smaller is better", "compress, GB/s", "decompress, GB/s")
# A codec that saves less than this only copies. Its speed has no bar, because it would dwarf the
# others.
NOTHING_SAVED = 0.99


class Picture:
    """A picture that grows from top to bottom."""

    def __init__(self, results, colors):
        self.colors = colors
        self.y = MARGIN
        self.lines = []
        self.largest = [1, longest(results, 2), longest(results, 3)]

    def text(self, x, y, content, color="text", **attributes):
        more = "".join(f' {name.replace("_", "-")}="{v}"' for name, v in attributes.items())
        fill = self.colors[color]
        self.lines.append(f'<text x="{x}" y="{y}" fill="{fill}"{more}>{escape(content)}</text>')

    def block(self, title, rows):
        """Draw the rows of a file below its title."""
        line = f'<path d="M{MARGIN} {self.y}H{WIDTH - MARGIN}" stroke="{self.colors["line"]}"/>'
        self.lines.append(line)
        self.text(MARGIN, self.y + 23, title, font_weight=600)
        self.y += TITLE
        for row in rows:
            self.row(*row)
            self.y += ROW
        self.y += 8

    def row(self, name, *values):
        """Draw the name of a codec and its bars."""
        kind = "ours" if name.startswith("zipnn") else "theirs"
        weight = {"font_weight": 600} if kind == "ours" else {}
        self.text(COLUMNS[0] - 10, self.y + 15, name, text_anchor="end", **weight)
        for number, (x, value) in enumerate(zip(COLUMNS, values, strict=True)):
            label = percent(value) if number == 0 else f"{value / 1e9:.2f}"
            if number and values[0] >= NOTHING_SAVED:
                self.text(x, self.y + 15, label, "faint")
                continue
            bar = round(BAR * value / self.largest[number], 1)
            self.lines.append(
                f'<rect x="{x}" y="{self.y + 3}" width="{bar}" height="{ROW - 5}" rx="2"'
                f' fill="{self.colors[kind]}"/>'
            )
            self.text(x + bar + 6, self.y + 15, label, **weight)

    def svg(self, summary):
        """Return the picture as a file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y}"'
            ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"'
            ' font-size="14" role="img">'
        )
        title = "<title>Size and speed of codecs for weights</title>"
        ground = f'<rect width="{WIDTH}" height="{self.y}" fill="{self.colors["ground"]}"/>'
        desc = f"<desc>{escape(summary)}</desc>"
        return "\n".join([head, title, desc, ground, *self.lines, "</svg>", ""])


def draw(results, line, colors):
    """Return the picture of the results, with their conditions in a line below."""
    picture = Picture(results, colors)
    for x, head in zip(COLUMNS, HEADS, strict=True):
        picture.text(x, MARGIN + 18, head, "faint")
    picture.y += HEAD
    for title, rows in results:
        picture.block(title, rows)
    picture.text(MARGIN, picture.y + 14, line, "faint", font_size=12)
    note = "Speeds without a bar: the codec saves nothing, so that it only copies."
    picture.text(MARGIN, picture.y + 32, note, "faint", font_size=12)
    picture.y += FOOT + MARGIN
    sizes = (f"zipnn compresses {title} to {percent(rows[0][1])}" for title, rows in results)
    return picture.svg("; ".join(sizes))


def percent(part):
    """Return a part of 1 for people."""
    return f"{part:.1%}".replace("%", " %")


def longest(results, column):
    """Return the highest value of a column that gets a bar."""
    rows = (row for _, rows in results for row in rows if row[1] < NOTHING_SAVED)
    return max(row[column] for row in rows)


def conditions(simd, options):
    """Return the conditions of the measurement in one line."""
    names = {"zipnn": "the original", "lmzip": "lmzip", "zstandard": "zstandard", "lz4": "lz4"}
    versions = (f"{name} {importlib.metadata.version(key)}" for key, name in names.items())
    machine = f"{processor()} ({simd}, {os.cpu_count()} cores)"
    clock = "processor time" if options.cpu else "wall time"
    return f"One thread, {clock}, {machine}; {', '.join(versions)}."


def main():
    """Measure all files, print tables and draw the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="FILE:TYPE", default=DEFAULT_FILES)
    parser.add_argument("--rounds", type=int, default=9, help="rounds that count (9)")
    parser.add_argument("--cpu", action="store_true", help="measure processor time, not wall time")
    parser.add_argument("--out", type=pathlib.Path, default=DOCS, help="folder of the pictures")
    options = parser.parse_args()
    original_class, zipnn_rs = imported()
    results = [measure(file, options, original_class, zipnn_rs) for file in options.files]
    line = conditions(zipnn_rs.simd_level(), options)
    print(line, *(table(*result) for result in results), sep="\n\n")
    for name, colors in (("light", LIGHT), ("dark", DARK)):
        (options.out / f"speed-{name}.svg").write_text(draw(results, line, colors))


if __name__ == "__main__":
    main()
