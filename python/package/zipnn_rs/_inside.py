"""Safetensors files in which tensors are compressed one by one (``.znn.safetensors``)."""

from __future__ import annotations

import json
import sys
from typing import Any

from . import _native
from ._archive import _TYPES, _rows

# Where the metadata of a file lists its compressed tensors.
_LIST = "znn_compressed_vectors"


class InsideOpen:
    """A safetensors file, with the interface of ``safetensors.safe_open``.

    Compressed tensors look like all others.
    """

    # Set by `zipnn_safetensors`.
    plain: Any = None

    def __init__(self, filename: Any, framework: str, device: Any = "cpu", **options: Any) -> None:
        self._is_torch = framework in ("pt", "torch", "pytorch")
        self._device = device
        self._file = self.plain(filename, framework, "cpu" if self._is_torch else device, **options)
        self._listed = json.loads((self._file.metadata() or {}).get(_LIST) or "{}")
        if self._listed and not self._is_torch:
            raise ValueError("files with compressed tensors are read as tensors of torch")

    def get_tensor(self, name: str) -> Any:
        """Return a tensor."""
        if name not in self._listed:
            return self._moved(self._file.get_tensor(name))
        from ._memory import tensor_of

        stored = self._file.get_tensor(name)
        return self._moved(tensor_of(_native.decompress(stored), *self._about(name)))

    def get_tensors(self) -> dict[str, Any]:
        """Return all tensors."""
        return {name: self.get_tensor(name) for name in self._file.keys()}

    def get_slice(self, name: str) -> Any:
        """Return a tensor of which parts are read by indexing."""
        return InsideSlice(self, name) if name in self._listed else self._file.get_slice(name)

    def __enter__(self) -> InsideOpen:
        return self

    def __exit__(self, *exception: Any) -> Any:
        return self._file.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _about(self, name: str) -> tuple[str, list[int]]:
        listed = self._listed[name]
        return listed["dtype"], json.loads(listed["shape"])

    def _moved(self, tensor: Any) -> Any:
        return tensor if self._device in (None, "cpu") else tensor.to(self._device)


class InsideSlice:
    """A compressed tensor of which parts are read by indexing. Only their chunks are decoded."""

    def __init__(self, file: InsideOpen, name: str) -> None:
        self._file = file
        self._dtype, self._shape = file._about(name)
        stored = file._file.get_slice(name)
        length = stored.get_shape()[0]

        def read(start: int, end: int) -> bytes:
            return bytes(stored[start:end].numpy())

        self._archive = _native.Archive((read, length), threads=1)

    def get_shape(self) -> list[int]:
        """Return the shape of the whole tensor."""
        return list(self._shape)

    def get_dtype(self) -> str:
        """Return the type, as safetensors files name it."""
        return next(name for name, other in _TYPES.items() if other == self._dtype)

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        if not self._shape or not keys:
            return self._read(0, self._archive.decoded_len, self._shape)[keys]
        count = self._shape[0]
        rows, first = _rows(keys[0], count)
        start, end = rows or (0, count)
        row = self._archive.decoded_len // count if count else 0
        part = self._read(start * row, end * row, [end - start, *self._shape[1:]])
        return part[(first, *keys[1:])]

    def _read(self, start: int, end: int, shape: list[int]) -> Any:
        from ._memory import tensor_of

        data = bytearray(end - start)
        self._archive.read_into(start, data)
        return self._file._moved(tensor_of(data, self._dtype, shape))


def zipnn_safetensors() -> None:
    """Let ``safetensors.safe_open`` read files in which tensors are compressed.

    Modules that have imported ``safe_open`` before see the change as well.
    """
    import safetensors

    if safetensors.safe_open is InsideOpen:
        return
    InsideOpen.plain = staticmethod(safetensors.safe_open)
    plain = safetensors.safe_open
    safetensors.safe_open = InsideOpen
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get("safe_open") is plain:
            module.safe_open = InsideOpen  # type: ignore[attr-defined]
