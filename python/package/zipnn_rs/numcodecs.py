"""A codec for numcodecs, which finds it under the name ``zipnn``: for Zarr version 2 and others."""

from __future__ import annotations

from typing import Any

from numcodecs.abc import Codec
from numcodecs.compat import ensure_contiguous_ndarray

from . import _native

__all__ = ["Zipnn"]


class Zipnn(Codec):
    """Compresses buffers without loss.

    ``dtype`` names the type of the elements, by default the type of the buffer. ``checksums`` lets
    readers detect damage. ``extended`` compresses integers and sparse data further, and ``max``
    also matrices of floats, slowly.
    """

    codec_id = "zipnn"

    def __init__(
        self,
        dtype: str | None = None,
        checksums: bool = True,
        extended: bool = False,
        max: bool = False,
    ) -> None:
        if dtype is not None:
            # Raises an error if the type does not exist.
            _native.compress_bound(0, dtype)
        self.dtype = dtype
        self.checksums = checksums
        self.extended = extended
        self.max = max

    def encode(self, buf: Any) -> bytes:
        """Return the compressed form of a buffer."""
        return _native.compress(
            ensure_contiguous_ndarray(buf),
            self.dtype,
            threads=1,
            checksums=self.checksums,
            extended=self.extended,
            max=self.max,
        )

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Return the data of a compressed buffer, in ``out`` if it is given."""
        if out is None:
            return _native.decompress(buf, threads=1)
        target = ensure_contiguous_ndarray(out).view("u1")
        expected = _native.decoded_len(buf)
        if target.nbytes != expected:
            raise ValueError(f"the data has {expected} bytes, but `out` has {target.nbytes}")
        _native.decompress_into(buf, target, threads=1)
        return out
