#!/usr/bin/env python3
"""Checks that every relative link and anchor in the tracked Markdown files resolves.

    tests/links.py              # all Markdown files that Git tracks
    tests/links.py FILE...      # these files
    tests/links.py --package    # the Markdown files in the package of the library

Prints each dead link as `FILE:LINE: TARGET: REASON`, and exits with status 1 if there is one.
Links to other sites are not followed. With `--package`, a link is also dead if its target is not in
the package.
"""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$")
ANCHOR = re.compile(r"""<a\s[^>]*\b(?:id|name)=["']([^"']+)["']""")
INLINE_CODE = re.compile(r"(`+)(?:.+?)\1")
LINK = re.compile(r"""\]\(\s*<?([^)\s>]+)>?[^)]*\)|\b(?:href|src|srcset)=["']([^"']+)["']""")
DEFINITION = re.compile(r"^ {0,3}\[[^\]^]+\]:\s*<?(\S+?)>?(?:\s|$)")
EXTERNAL = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", re.I)


def prose(path):
    """Yields the number and the text of each line outside code blocks."""
    fence = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark = FENCE.match(line)
        if fence is None and mark:
            fence = mark[1]
        elif fence is None:
            yield number, line
        elif mark and mark[1].startswith(fence) and not line.strip(" `~"):
            fence = None


def anchors(path):
    """Returns the anchors that GitHub gives the headings of a file, and explicit ones."""
    found = set()
    for _, line in prose(path):
        found.update(ANCHOR.findall(line))
        heading = HEADING.match(line)
        if heading is None:
            continue
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}-{count}"
        found.add(name)
    return found


def targets(path):
    """Yields the line number and the target of each link."""
    for number, line in prose(path):
        line = INLINE_CODE.sub("", line)
        for match in LINK.finditer(line):
            yield number, match[1] or match[2]
        definition = DEFINITION.match(line)
        if definition:
            yield number, definition[1]


def problem(source, target, package):
    """Returns why a link is dead, or `None`. `package` has the files of the package, if they matter."""
    if EXTERNAL.match(target):
        return None
    name, _, anchor = target.partition("#")
    name = unquote(name)
    base = ROOT if name.startswith("/") else source.parent
    path = (base / name.lstrip("/")).resolve() if name else source
    if not path.is_relative_to(ROOT):
        return "the target is outside the repository"
    if not path.exists():
        return "no such file"
    if package is not None and path not in package:
        return "the target is not in the package"
    if anchor and path.suffix == ".md" and unquote(anchor) not in anchors(path):
        return "no such heading"
    return None


def tracked():
    """Returns the Markdown files that Git tracks."""
    command = ["git", "ls-files", "-z", "*.md"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).exists()]


def packaged():
    """Returns the files of the library's package."""
    command = ["cargo", "package", "--list", "--allow-dirty", "--quiet", "--package", "zipnn"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {ROOT / name for name in names.splitlines()}


def main(names):
    package = packaged() if names == ["--package"] else None
    if package is not None:
        files = sorted(path for path in package if path.suffix == ".md")
    else:
        files = [Path(name).resolve() for name in names] or tracked()
    links = dead = 0
    for path in files:
        for number, target in targets(path):
            links += 1
            reason = problem(path, target, package)
            if reason:
                dead += 1
                print(f"{path.relative_to(ROOT)}:{number}: {target}: {reason}")
    print(f"{links} links in {len(files)} Markdown files, {dead} dead")
    return 1 if dead or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
