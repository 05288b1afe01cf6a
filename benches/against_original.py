#!/usr/bin/env python3
"""Compare zipnn_rs with the original package zipnn, in one process.

    benches/against_original.py [FILE:TYPE ...]

TYPE is bf16, f32, f16, f8e4m3 or f8e5m2. Without files, the script measures the files in
../shared/models beside the repository.

Both packages work on one thread and on pieces of 4 MiB. They take turns in random order: one
processes all pieces of a file five times, of which the last pass counts, then the other. Fewer
passes (--warm-up) do not fill the caches with what is used again. Before each
call that compresses, the piece is copied to the same memory, because the original modifies its
input. The original returns new memory for each piece, which its allocator reuses. zipnn_rs writes
to memory of the caller, or also returns new memory (--fresh). Each call is the function that users
of the package call, with the overhead of Python. The script checks that each result decompresses
to the data, and that each package reads the results of the other. It also measures a plain copy of
each piece to the memory that zipnn_rs writes to, which no decompression can be much faster than.

It prints speeds in MB/s, which are 10^6 bytes of uncompressed data each second, and their ratios to
the original. The time of a file is the sum of its pieces' medians, so that a call that another
process interrupts does not count. On a busy machine, use --cpu as well. ZIPNN_SIMD forces the
vector instructions of zipnn_rs.

It needs the packages `zipnn`, `torch` and `zipnn_rs`:

    pip install zipnn torch
    python/build.sh && pip install target/wheels/*.whl
"""

import argparse
import contextlib
import dataclasses
import gc
import importlib.metadata
import io
import json
import pathlib
import platform
import random
import statistics
import sys
import time
import warnings
from collections.abc import Callable

NAMES = {
    "bf16": "bfloat16",
    "f32": "float32",
    "f16": "float16",
    "f8e4m3": "float8_e4m3fn",
    "f8e5m2": "float8_e5m2",
}
MODELS = pathlib.Path(__file__).resolve().parents[2] / "shared" / "models"
DEFAULT_FILES = [
    f"{MODELS / name}:{dtype}"
    for name, dtype in [
        ("minilm-part.bf16.safetensors", "bf16"),
        ("minilm-part.f32.safetensors", "f32"),
        ("wordllama-part.f16.safetensors", "f16"),
        ("minilm-part.f8e4m3.safetensors", "f8e4m3"),
    ]
]
# Pieces consist of whole elements: the original's result is undefined otherwise.
ELEMENT = 4


def imported():
    """Import the packages, or exit with the list of those that are missing."""
    warnings.filterwarnings("ignore")
    missing = []
    modules = {}
    for name, source in [
        ("torch", "pip install torch"),
        ("zipnn", "pip install zipnn"),
        ("zipnn_rs", "python/build.sh && pip install target/wheels/*.whl"),
    ]:
        try:
            # The original prints while it is imported.
            with contextlib.redirect_stdout(io.StringIO()):
                modules[name] = __import__(name)
        except ImportError as error:
            missing.append(f"  {name}: {error} ({source})")
    if missing:
        sys.exit("Packages cannot be imported:\n" + "\n".join(missing))
    if not hasattr(modules["zipnn"], "ZipNN"):
        sys.exit(f"The package zipnn is not the original: {modules['zipnn']}")
    return modules["zipnn"].ZipNN, modules["zipnn_rs"]


@dataclasses.dataclass
class Case:
    """A way to process a piece."""

    direction: str
    name: str
    call: Callable
    # Returns the input of the call for a piece; it does not count.
    prepare: Callable
    # The times of each piece.
    times: list = dataclasses.field(default_factory=list)

    @property
    def seconds(self):
        """The time of all pieces."""
        return sum(statistics.median(times) for times in self.times)


@dataclasses.dataclass
class Piece:
    """A part of the file, and what each package made from it."""

    data: bytes
    original: bytes
    plain: bytes
    checked: bytes
    extended: bytes | None


def size(text):
    """Parse a number of bytes such as 4M."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    length = int(number) * unit
    if length <= 0 or length % ELEMENT:
        raise argparse.ArgumentTypeError(f"{text} is not a positive multiple of {ELEMENT}")
    return length


class File:
    """A file that is being measured."""

    def __init__(self, argument, options, original_class, ours):
        path, separator, self.type = argument.rpartition(":")
        if not separator or self.type not in NAMES:
            sys.exit(f"{argument}: name the file and its type: FILE:{'|'.join(NAMES)}")
        self.path = pathlib.Path(path)
        self.options = options
        self.ours = ours
        self.dtype = NAMES[self.type]
        self.original = original_class(bytearray_dtype=self.dtype, threads=options.threads)
        try:
            content = self.path.read_bytes()
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}; name files to measure: FILE:TYPE")
        content = content[: len(content) // ELEMENT * ELEMENT]
        if not content:
            sys.exit(f"{path}: is empty")
        content *= max(1, options.repeat // len(content))
        parts = range(0, len(content), options.piece)
        self.pieces = [self.piece(content[at : at + options.piece]) for at in parts]
        longest = max(len(piece.data) for piece in self.pieces)
        # Every call reads and writes the same memory, which is filled so that it exists.
        self.input = bytearray(b"\1") * longest
        bound = ours.compress_bound(longest, self.dtype)
        if options.extended:
            bound = max(bound, ours.compress_bound(longest, self.dtype, extended=True))
        self.output = bytearray(b"\1") * max(bound, longest)
        for piece in self.pieces:
            self.check_reused(piece)

    def piece(self, data):
        """Compress a piece with both packages, and check that both read each result."""
        # The original modifies its input.
        original = bytes(self.original.compress(bytearray(data)))
        plain = self.compress(data, checksums=False)
        checked = self.compress(data)
        files = {"original": original, "zipnn_rs": plain, "zipnn_rs, checksums": checked}
        for name, file in files.items():
            self.check(name, "original", self.original.decompress(file), data)
        extended = None
        if self.options.extended:
            extended = self.compress(data, checksums=False, extended=True)
            files["zipnn_rs, extended"] = extended
        for name, file in files.items():
            self.check(name, "zipnn_rs", self.ours.decompress(file), data)
        return Piece(data, original, plain, checked, extended)

    def check_reused(self, piece):
        """Check that calls with memory of the caller return the same as other calls."""
        choices = {"threads": self.options.threads, "checksums": False}
        length = self.ours.compress_into(piece.data, self.output, self.dtype, **choices)
        if self.output[:length] != piece.plain:
            sys.exit(f"{self.path}: compress_into and compress write different files")
        length = self.ours.decompress_into(piece.plain, self.output, threads=choices["threads"])
        self.check("zipnn_rs", "decompress_into", self.output[:length], piece.data)

    def check(self, writer, reader, result, data):
        """Exit if a result is wrong."""
        if result != data:
            sys.exit(f"{self.path}: {reader} does not restore the data from {writer}")

    def compress(self, data, **choices):
        return self.ours.compress(data, self.dtype, threads=self.options.threads, **choices)

    def take(self, piece):
        """Return a copy of the data, in the same memory for all pieces of the same length."""
        if len(piece.data) != len(self.input):
            return bytearray(piece.data)
        self.input[:] = piece.data
        return self.input

    def copy(self, data):
        """Copy a piece to the memory that every call writes to."""
        memoryview(self.output)[: len(data)] = data

    def cases(self):
        """Return the ways to process a piece, the original's first in each direction."""
        ours, dtype, threads, out = self.ours, self.dtype, self.options.threads, self.output
        yield Case("compress", "original", self.original.compress, self.take)
        choices = {"": {"checksums": False}, ", checksums": {}}
        if self.options.extended:
            choices[", extended"] = {"checksums": False, "extended": True}
        functions = {"compress_into": lambda data, **c: ours.compress_into(data, out, dtype, **c)}
        if self.options.fresh:
            functions["compress_bytearray"] = lambda d, **c: ours.compress_bytearray(d, dtype, **c)
            functions["compress"] = lambda d, **c: ours.compress(d, dtype, **c)
        for function, call in functions.items():
            for name, choice in choices.items():
                yield Case(
                    "compress",
                    function + name,
                    lambda data, call=call, c=choice: call(data, threads=threads, **c),
                    self.take,
                )
        yield Case("decompress", "original", self.original.decompress, lambda p: p.original)
        inputs = {"": lambda p: p.original, ", checksums": lambda p: p.checked}
        if self.options.extended:
            inputs[", extended"] = lambda p: p.extended
        functions = {"decompress_into": lambda f: ours.decompress_into(f, out, threads=threads)}
        if self.options.fresh:
            functions["decompress"] = lambda f: ours.decompress(f, threads=threads)
        for function, call in functions.items():
            for name, prepare in inputs.items():
                yield Case("decompress", function + name, call, prepare)
        yield Case("copy", "plain copy", self.copy, lambda p: p.data)

    def measure(self):
        """Return the results of all cases."""
        clock = time.process_time if self.options.cpu else time.perf_counter
        cases = list(self.cases())
        for case in cases:
            case.times = [[] for _ in self.pieces]
        gc.disable()
        for _ in range(self.options.rounds):
            for case in random.sample(cases, len(cases)):
                # The caches hold the other package's memory, so the first passes do not count.
                for _ in range(self.options.warm_up):
                    self.measure_pass(case, clock)
                for times, seconds in zip(case.times, self.measure_pass(case, clock), strict=True):
                    times.append(seconds)
        gc.enable()
        return self.results(cases)

    def measure_pass(self, case, clock):
        """Return the time of each piece."""
        times = []
        for piece in self.pieces:
            data = case.prepare(piece)
            start = clock()
            result = case.call(data)
            times.append(clock() - start)
            del result, data
        return times

    def results(self, cases):
        length = sum(len(piece.data) for piece in self.pieces)
        sizes = {
            name: sum(len(getattr(piece, name)) for piece in self.pieces) / length
            for name in ("original", "plain", "checked", "extended")
            if getattr(self.pieces[0], name) is not None
        }
        speeds = []
        for case in cases:
            original = next(each for each in cases if each.direction == case.direction)
            speeds.append(
                {
                    "direction": case.direction,
                    "name": case.name,
                    "mb_s": length / case.seconds / 1e6,
                    "ratio": original.seconds / case.seconds,
                }
            )
        return {
            "file": self.path.name,
            "dtype": self.type,
            "bytes": length,
            "sizes": sizes,
            "speeds": speeds,
        }


def processor():
    """Return the name of the processor."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def huge_pages():
    """Return the system's setting of huge pages, which decides what fresh memory costs."""
    path = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    text = path.read_text() if path.exists() else "[unknown]"
    return text[text.index("[") + 1 : text.index("]")]


def table(report):
    """Return the results as a table in Markdown."""
    files = report["files"]
    lines = [
        f"{report['processor']}, {report['simd']}, threads: {report['threads']},"
        f" pieces of {report['piece']:,} bytes, {report['clock']} time,"
        f" medians of {report['rounds']} rounds, {report['warm_up']} passes of warm-up,"
        f" huge pages: {report['huge_pages']},"
        f" zipnn {report['original']}, zipnn_rs {report['zipnn_rs']}",
        "",
        "| | " + " | ".join(file["dtype"] for file in files) + " |",
        "|---|" + "--:|" * len(files),
    ]
    names = {"original": "original", "plain": "zipnn_rs", "checked": "zipnn_rs, checksums"}
    for key in files[0]["sizes"]:
        cells = (f"{file['sizes'][key]:.2%}" for file in files)
        lines.append(f"| size: {names.get(key, 'zipnn_rs, extended')} | {' | '.join(cells)} |")
    for number, speed in enumerate(files[0]["speeds"]):
        columns = [file["speeds"][number] for file in files]
        is_original = speed["name"] == "original"
        is_reference = is_original or speed["direction"] == "copy"
        cells = (
            f"{each['mb_s']:.0f}" if is_reference else f"{each['ratio']:.2f} × ({each['mb_s']:.0f})"
            for each in columns
        )
        name = f"{speed['direction']}: {speed['name']}" if is_original else speed["name"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="FILE:TYPE", default=DEFAULT_FILES)
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count (15)")
    parser.add_argument("--warm-up", type=int, default=4, help="passes that do not count (4)")
    parser.add_argument("--piece", type=size, default="4M", help="length of a piece (4M)")
    parser.add_argument("--repeat", type=size, default="16M", help="repeat files up to it (16M)")
    parser.add_argument("--threads", type=int, default=1, help="threads of both packages (1)")
    parser.add_argument("--cpu", action="store_true", help="measure processor time, not wall time")
    parser.add_argument("--fresh", action="store_true", help="also measure calls with new results")
    parser.add_argument("--extended", action="store_true", help="also measure the extended profile")
    parser.add_argument("--json", action="store_true", help="print a JSON object, not a table")
    return parser.parse_args()


def main():
    """Measure all files, and print the results."""
    options = arguments()
    original_class, ours = imported()
    try:
        level = ours.simd_level()
    except ValueError as error:
        sys.exit(str(error))
    report = {
        "processor": processor(),
        "simd": level,
        "threads": options.threads,
        "piece": options.piece,
        "rounds": options.rounds,
        "warm_up": options.warm_up,
        "clock": "processor" if options.cpu else "wall",
        "huge_pages": huge_pages(),
        "original": importlib.metadata.version("zipnn"),
        "zipnn_rs": ours.__version__,
        "files": [],
    }
    for argument in options.files:
        report["files"].append(File(argument, options, original_class, ours).measure())
    print(json.dumps(report) if options.json else table(report))


if __name__ == "__main__":
    main()
