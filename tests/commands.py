#!/usr/bin/env python3
"""Runs the commands in the documents, or checks that the steps of `.ci/run` do.

    tests/commands.py PROGRAM      # PROGRAM is the built program `zipnn`

Each command of the program runs in a folder of its own, with a model of the repository under each
name that the command reads. Of all other commands, either this script or the file in `ELSEWHERE`
runs them, or they measure for a long time: then their script, example or benchmark has to exist.
Tests of the program run the commands in the pages of `OTHERS`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "tests/data/minilm-slice.bf16.safetensors"
OTHERS = ["docs/cli.md", "docs/hub.md", "docs/SAFETENSORS.md", "docs/browser.md"]
PAGES = ["README.md", "CONTRIBUTING.md", "cli/README.md", "examples/README.md", "python/README.md"]
PAGES += sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
# The last cell of a row.
CELL = re.compile(r"\| `((?:cargo|examples/)[^`]*)` \|$", re.MULTILINE)
# The beginnings of commands, the file of the repository that runs them, and text in that file.
ELSEWHERE = {
    "cargo run --release -p zipnn-cli -- compress --force tests/data": (
        ".ci/run",
        "--force tests/data",
    ),
    "cargo test --locked --all-features": (".ci/run", "cargo test --locked --all-features"),
    ".ci/run": (".github/workflows/ci.yml", ".ci/run"),
    ".ci/release": ("CONTRIBUTING.md", "before a release"),
    "python/build.sh": ("python/test.sh", "python/build.sh"),
    "python/test.sh": (".ci/run", "python/test.sh"),
    "pip install": ("python/test.sh", 'pip" install'),
    "PYTHONPATH=$(python -m zipnn_rs.compat --path) python": (
        "python/tests/test_compat.py",
        "--path",
    ),
    "npm ci": ("web/test.sh", "npm ci"),
    "npm run build": ("web/test.sh", "build.sh"),
    "npm pack": ("web/test.sh", ""),
    "cargo run --release --example compress_slice": (".ci/run", "compress_slice"),
    "cargo run --release --example compress_file": (".ci/run", "compress_file"),
    "cargo run --release --example one_tensor": (".ci/run", "one_tensor"),
    "cargo run --release --example caller_memory": (".ci/run", "caller_memory"),
    "cargo run --release --example weight_updates": (".ci/run", "weight_updates"),
    "cargo run -p zipnn-ranges": (".ci/run", "zipnn-ranges"),
    "cargo run --release -p zipnn-gpu --example decode_file": (".ci/run", "--example decode_file"),
    "cargo run --manifest-path examples/engines/": (".ci/run", "examples/engines/Cargo.toml"),
    "cargo run --manifest-path examples/candle/": (".ci/release", "examples/candle/Cargo.toml"),
    "cargo run --release --bin tensors_in_redb": (".ci/run", "tensors_in_redb"),
    "cargo run --release --bin checkpoints_in_fjall": (".ci/run", "checkpoints_in_fjall"),
    "examples/device/run.sh": ("tests/targets.sh", "examples/device/run.sh"),
    "examples/zarrs/test.sh": ("python/test.sh", "examples/zarrs/test.sh"),
}


def commands(page):
    """Yields the commands of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    yield from CELL.findall(text)
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if shlex.split(line, comments=True):
                yield re.sub(r"\s+# .*", "", line).strip()


def targets():
    """Returns the names of all examples, benchmarks and programs."""
    manifests = [ROOT / "Cargo.toml", *ROOT.glob("examples/*/Cargo.toml")]
    found = set()
    for manifest in manifests:
        command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--manifest-path"]
        output = subprocess.run([*command, manifest], check=True, capture_output=True).stdout
        for package in json.loads(output)["packages"]:
            found.update(target["name"] for target in package["targets"])
    return found


def prepare(folder, zipnn, words):
    """Writes the files that a command of the program reads."""
    for word in words:
        compressed = word.endswith(".znn")
        if not compressed and not re.fullmatch(r"FILE|BASE|.*\.(safetensors|gguf)", word):
            continue
        path = folder / word.replace("*", "model").removesuffix(".znn")
        path.parent.mkdir(exist_ok=True)
        shutil.copy(MODEL, path)
        if compressed:
            subprocess.run([zipnn, "compress", "--quiet", "--rm", path], check=True)


def run(command, zipnn):
    """Runs a command in a new folder, and returns whether it succeeds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "zipnn").symlink_to(ROOT)
        first = command.split("&&")[0]
        if "zipnn " in first and not first.startswith("cargo"):
            prepare(folder, zipnn, shlex.split(first))
        where = folder
        if command.startswith("cargo add"):
            where = folder / "mine"
            subprocess.run(["cargo", "new", "--quiet", "--lib", "--vcs", "none", where], check=True)
        elif command.startswith("cargo install"):
            where = ROOT
        environment = {
            **os.environ,
            "PATH": f"{zipnn.parent}:{os.environ['PATH']}",
            "CARGO_INSTALL_ROOT": str(folder / "installed"),
        }
        done = subprocess.run(
            ["bash", "-ec", command], cwd=where, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            print(f"{command}\n{done.stdout}{done.stderr}")
        return done.returncode == 0


def exists(command, names):
    """Returns whether the script, example, benchmark or program that a command measures exists."""
    words = shlex.split(command)
    for option in ("--example", "--bench", "--bin"):
        if option in words:
            return words[words.index(option) + 1] in names
    if words[0] == "cargo":
        package = words[words.index("-p") + 1] if "-p" in words else ""
        return words[1] == "run" and package in names
    if words[:2] == ["npm", "run"]:
        return words[2] in json.loads((ROOT / "web/package.json").read_text())["scripts"]
    return "/" in words[0] and os.access(ROOT / words[0], os.X_OK)


def check(command, zipnn, names):
    """Returns how a command is tested, or `None` if it is not or fails."""
    if re.match(r"(ZIPNN_SIMD=\w+ )?zipnn |cargo (add|install) ", command) and "$M" not in command:
        return "ran" if run(command, zipnn) else None
    kinds = set()
    for part in re.split(r" && ", command):
        if re.match(r"cd |\w+=\S+$", part):
            continue
        place = next((ELSEWHERE[start] for start in ELSEWHERE if part.startswith(start)), None)
        if place:
            file, text = place
            if text not in (ROOT / file).read_text(encoding="utf-8"):
                print(f"{part}: {file} does not run it any more")
                return None
            kinds.add("run elsewhere")
        elif part.startswith("zipnn ") or exists(part, names):
            kinds.add("measures")
        else:
            print(f"{part}: nothing runs it; add it to tests/commands.py")
            return None
    return "measures" if "measures" in kinds else "run elsewhere"


def main():
    zipnn, names = Path(sys.argv[1]).resolve(), targets()
    counts = {}
    for page in PAGES:
        for command in commands(page) if page not in OTHERS else ():
            kind = check(command, zipnn, names)
            counts[kind] = counts.get(kind, 0) + 1
            if kind is None:
                print(f"{page}: {command}: FAILED")
    failed = counts.pop(None, 0)
    counts = {"failed": failed, **counts}
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return int(failed > 0 or "ran" not in counts)


if __name__ == "__main__":
    sys.exit(main())
