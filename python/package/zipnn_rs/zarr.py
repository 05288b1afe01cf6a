"""A codec for Zarr version 3, which zarr finds under the name ``zipnn``.

::

    zarr.create_array(store, data=weights, compressors=[ZipnnCodec()])
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zarr.abc.codec import BytesBytesCodec

from . import _native

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer

__all__ = ["ZipnnCodec"]

_NAME = "zipnn"


@dataclass(frozen=True)
class ZipnnCodec(BytesBytesCodec):
    """Compresses the chunks of an array without loss.

    ``dtype`` names the type of the elements, by default the type of the array. Name it for arrays
    that hold another type than they declare, for example bfloat16 as uint16. ``checksums`` lets
    readers detect damage. ``extended`` compresses integers and sparse data further, and ``max``
    also matrices of floats, slowly.
    """

    is_fixed_size = False

    dtype: str | None = None
    checksums: bool = True
    extended: bool = False
    max: bool = False

    def __post_init__(self) -> None:
        if self.dtype is not None:
            # Raises an error if the type does not exist.
            _native.compress_bound(0, self.dtype)
        for name in ("checksums", "extended", "max"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be true or false, not {getattr(self, name)!r}")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ZipnnCodec:
        """Return the codec that the metadata of an array describes."""
        if data["name"] != _NAME:
            raise ValueError(f"the codec is named {data['name']!r} instead of {_NAME!r}")
        return cls(**(data.get("configuration") or {}))

    def to_dict(self) -> dict[str, Any]:
        """Return the description for the metadata of an array."""
        configuration = {
            "dtype": self.dtype,
            "checksums": self.checksums,
            "extended": self.extended,
            "max": self.max,
        }
        return {"name": _NAME, "configuration": configuration}

    def evolve_from_array_spec(self, array_spec: ArraySpec) -> ZipnnCodec:
        """Return the codec with the type of an array, unless it has a type."""
        if self.dtype is not None:
            return self
        from ._memory import known_type

        # Types without a name, such as strings, are bytes.
        return replace(self, dtype=known_type(array_spec.dtype.to_native_dtype()) or "bytes")

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raise an error: the compressed length depends on the data."""
        raise NotImplementedError

    # Chunks are processed in parallel, so each uses one thread.

    def _encode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        file = _native.compress(
            chunk_data.as_numpy_array(),
            self.dtype,
            threads=1,
            checksums=self.checksums,
            extended=self.extended,
            max=self.max,
        )
        return chunk_spec.prototype.buffer.from_bytes(file)

    def _decode_sync(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        data = _native.decompress(chunk_data.as_numpy_array(), threads=1)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _encode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)
