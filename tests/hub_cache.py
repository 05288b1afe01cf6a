#!/usr/bin/env python3
"""Whether the Hugging Face Hub's own library accepts a cache in which `zipnn --hub` has been.

    cargo build --release --package zipnn-cli
    python tests/hub_cache.py target/release/zipnn

Needs a Python with `huggingface_hub`; with `zipnn` as well, the original reads what is in the cache.
Three checkpoints are laid out by hand as the library would have fetched them: the models beside the
repository where they are, made-up numbers otherwise. They are compressed, interrupted by SIGKILL on
the way, and decompressed again.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Before the library is imported: it reads the environment once, and nothing may be fetched.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download  # noqa: E402
from huggingface_hub import try_to_load_from_cache  # noqa: E402

MODELS = Path(__file__).parent / "../../shared/models"
REPO = "some-org/three.checkpoints"
REVISIONS = {"old": hashlib.sha1(b"old").hexdigest(), "main": hashlib.sha1(b"main").hexdigest()}
SHARDS = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
INDEX = "model.safetensors.index.json"


def safetensors(seed, count=2_000_000):
    """A file of one tensor whose numbers are spread like weights."""
    numbers = random.Random(seed)
    some = [struct.pack("<f", numbers.gauss(0, 0.05))[2:] for _ in range(10_000)]
    data = b"".join(numbers.choices(some, k=count))
    entry = {"dtype": "BF16", "shape": [count], "data_offsets": [0, len(data)]}
    header = json.dumps({"weight": entry}).encode()
    return struct.pack("<Q", len(header)) + header + data


def checkpoints():
    """Four shards: three of a revision, and one that was another before."""
    names = ["minilm-part.bf16", "wordllama-part.f16", "minilm-part.mixed", "minilm-part.tuned.bf16"]
    paths = [MODELS / f"{name}.safetensors" for name in names]
    if all(path.exists() for path in paths):
        return [path.read_bytes() for path in paths]
    return [safetensors(seed) for seed in range(4)]


class Cache:
    """A cache as the library leaves it."""

    def __init__(self, root):
        self.root = Path(root)
        self.repo = self.root / f"models--{REPO.replace('/', '--')}"
        weights = checkpoints()
        index = {"metadata": {"total_size": 1}, "weight_map": {f"w{n}": s for n, s in enumerate(SHARDS)}}
        small = {"config.json": b'{"model_type": "bert"}', INDEX: json.dumps(index, indent=2).encode()}
        for ref, last in (("old", weights[3]), ("main", weights[2])):
            files = dict(zip(SHARDS, [weights[0], weights[1], last])) | small
            files["onnx/model.onnx"] = weights[0][:100_000]
            for name, contents in files.items():
                self.add(REVISIONS[ref], name, contents, is_large=name not in small)
            (self.repo / "refs").mkdir(exist_ok=True)
            (self.repo / "refs" / ref).write_text(REVISIONS[ref])
            listing = {name: {"size": len(c), "blob_id": "0" * 40} for name, c in sorted(files.items())}
            (self.repo / "trees").mkdir(exist_ok=True)
            text = json.dumps({"format_version": 1, "files": listing}, indent=2)
            (self.repo / "trees" / f"{REVISIONS[ref]}.json").write_text(text)

    def add(self, revision, name, contents, is_large):
        if is_large:
            blob = hashlib.sha256(contents).hexdigest()
        else:
            blob = hashlib.sha1(b"blob %d\0" % len(contents) + contents).hexdigest()
        path = self.repo / "blobs" / blob
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents)
        link = self.repo / "snapshots" / revision / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(path, link.parent))

    def tree(self):
        """Everything in it: contents, modes and targets."""
        tree = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.is_symlink():
                tree[name] = os.readlink(path)
            elif path.is_file():
                tree[name] = (path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
            else:
                tree[name] = None
        return tree

    def scan(self):
        """What the library sees: names of files and their sizes, by revision."""
        info = scan_cache_dir(self.root)
        assert not info.warnings, info.warnings
        (repo,) = info.repos
        assert repo.repo_id == REPO
        refs = {ref: revision.commit_hash for revision in repo.revisions for ref in revision.refs}
        assert refs == REVISIONS, refs
        return {
            revision.commit_hash: {
                str(file.file_path.relative_to(revision.snapshot_path)): file.size_on_disk
                for file in revision.files
            }
            for revision in repo.revisions
        }


def check_accepted(cache, present, absent):
    """The library finds these files and not those, by every way in."""
    for ref, revision in REVISIONS.items():
        for name in present:
            path = try_to_load_from_cache(REPO, name, cache_dir=cache.root, revision=ref)
            assert isinstance(path, str) and os.path.exists(path), (ref, name, path)
            for asked in (ref, revision):
                again = hf_hub_download(
                    REPO, name, cache_dir=cache.root, revision=asked, local_files_only=True
                )
                assert os.path.samefile(path, again)
        for name in absent:
            path = try_to_load_from_cache(REPO, name, cache_dir=cache.root, revision=ref)
            assert path is None, (ref, name, path)
        # In processes of their own: the library remembers listings that it has read.
        code = (
            "import sys; from huggingface_hub import snapshot_download;"
            "print(snapshot_download(sys.argv[1], cache_dir=sys.argv[2], revision=sys.argv[3],"
            " local_files_only=True))"
        )
        arguments = [sys.executable, "-c", code, REPO, str(cache.root), ref]
        folder = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()
        assert folder == str(cache.repo / "snapshots" / revision), folder
        index = json.loads((Path(folder) / INDEX).read_text())
        for shard in index["weight_map"].values():
            assert (Path(folder) / shard).is_file(), shard


def run(program, command, cache, **options):
    arguments = [program, command, "--hub", REPO, "--cache", str(cache.root), *options.get("more", [])]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()


def kill_sometime(program, command, cache, longest):
    """Whether it was still at work."""
    arguments = [program, command, "--hub", REPO, "--cache", str(cache.root), "--threads", "1"]
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.uniform(0, longest))
    child.kill()
    return child.wait() == -signal.SIGKILL


def check_original_reads(cache, before):
    try:
        from zipnn import ZipNN
    except ImportError:
        print("skipped: the original is not installed")
        return
    for name in SHARDS:
        link = cache.repo / "snapshots" / REVISIONS["main"] / f"{name}.znn"
        data = ZipNN(is_streaming=True).decompress(link.read_bytes())
        blob = os.path.basename(before[str(link.relative_to(cache.root))[: -len(".znn")]])
        assert hashlib.sha256(data).hexdigest() == blob, name
    print("the original decompresses what is in the cache")


def main(program):
    with tempfile.TemporaryDirectory() as directory:
        cache = Cache(os.path.join(directory, "hub"))
        compressed_names = [f"{shard}.znn" for shard in SHARDS] + ["onnx/model.onnx.znn"]
        plain_names = SHARDS + ["onnx/model.onnx"]
        before, plain = cache.tree(), cache.scan()
        check_accepted(cache, plain_names, compressed_names)

        start = time.monotonic()
        print(run(program, "compress", cache))
        longest = time.monotonic() - start
        after, compressed = cache.tree(), cache.scan()
        check_accepted(cache, compressed_names, plain_names)
        for revision, files in plain.items():
            expected = {name + ".znn" if name in plain_names else name for name in files}
            assert set(compressed[revision]) == expected
            assert sum(compressed[revision].values()) < sum(files.values())
        check_original_reads(cache, before)

        # A revision goes with what only it has, and nothing else.
        copy = os.path.join(directory, "copy")
        shutil.copytree(cache.root, copy, symlinks=True)
        strategy = scan_cache_dir(copy).delete_revisions(REVISIONS["old"])
        assert len(strategy.blobs) == 1 and next(iter(strategy.blobs)).name.endswith(".znn")
        strategy.execute()
        assert not scan_cache_dir(copy).warnings
        arguments = [program, "decompress", "--hub", REPO, "--cache", copy]
        subprocess.run(arguments, check=True, capture_output=True)
        assert not scan_cache_dir(copy).warnings

        print(run(program, "decompress", cache))
        assert cache.tree() == before and cache.scan() == plain
        check_accepted(cache, plain_names, compressed_names)

        killed = 0
        for _ in range(15):
            for command, end in (("compress", after), ("decompress", before)):
                killed += kill_sometime(program, command, cache, longest)
                cache.scan()
                run(program, command, cache)
                assert cache.tree() == end, command
        print(f"{killed} of 30 runs were killed, and the next one completed each")
        check_accepted(cache, plain_names, compressed_names)
    print("all is well")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
