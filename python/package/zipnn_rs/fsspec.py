"""Lets fsspec read and write compressed files: importing this module registers ``zipnn``.

::

    import zipnn_rs.fsspec

    with fsspec.open("memory://weights.znn", "wb", compression="infer") as file:
        file.write(weights)

The worker processes of dask import it as well if ``distributed.worker.preload`` names it.
"""

from __future__ import annotations

from typing import Any

from fsspec.compression import register_compression

from ._file import open as _open

__all__: list[str] = []


def _register() -> None:
    """Register the compression ``zipnn`` for files that end with ``.znn``."""
    register_compression("zipnn", _open_compressed, "znn", force=True)


def _open_compressed(file: Any, mode: str = "rb", **options: Any) -> Any:
    return _open(file, mode, **options)


_register()
