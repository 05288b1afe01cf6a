"""A stand-in for the original package ``zipnn``.

Programs that were written for the original find the stand-in under the name ``zipnn`` in either of
two ways::

    PYTHONPATH=$(python -m zipnn_rs.compat --path) python program.py

    import zipnn_rs.compat
    zipnn_rs.compat.install()

If the original is installed, it is used in both cases.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys


def path() -> str:
    """Return the folder in which the stand-in is."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "_shim")


def install() -> bool:
    """Make ``import zipnn`` find the stand-in, unless the original is installed.

    Returns whether the stand-in is used.
    """
    if path() not in sys.path:
        sys.path.append(path())
        importlib.invalidate_caches()
    spec = sys.modules["zipnn"].__spec__ if "zipnn" in sys.modules else _find()
    origin = spec.origin if spec is not None else None
    return origin is not None and os.path.abspath(origin).startswith(path() + os.sep)


def _find() -> importlib.machinery.ModuleSpec | None:
    return importlib.util.find_spec("zipnn")


def _main() -> int:
    if sys.argv[1:] != ["--path"]:
        print("usage: python -m zipnn_rs.compat --path", file=sys.stderr)
        return 2
    print(path())
    return 0


if __name__ == "__main__":
    sys.exit(_main())
