"""Reading tensors and ranges of a compressed file without decompressing all of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import _native

if TYPE_CHECKING:
    from types import TracebackType

# Names of the types in safetensors files. The second name is that of numpy, `ml_dtypes` and torch.
_TYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "C64": "complex64",
}


class Archive:
    """A compressed file that is read by ranges: only what is needed is read and decompressed.

    Tensors are found by name in the data of safetensors and GGUF files, and of files of NumPy
    (``.npy``, ``.npz``), PyTorch and ONNX. Several threads can read at once.
    """

    def __init__(self, native: _native.Archive, framework: str, device: Any) -> None:
        if framework not in ("np", "numpy", "pt", "torch"):
            raise ValueError(f"unknown framework {framework!r}: use 'numpy' or 'torch'")
        self._native = native
        self._is_torch = framework in ("pt", "torch")
        self._device = device
        self._lock = threading.Lock()
        self._header: tuple[dict[str, _native.TensorEntry], dict[str, str]] | None = None

    @property
    def decoded_len(self) -> int:
        """The length of the data in bytes."""
        return self._native.decoded_len

    @property
    def bytes_read(self) -> int:
        """How many compressed bytes have been read so far."""
        return self._native.bytes_read

    def read(self, start: int, end: int) -> bytearray:
        """Return the bytes from ``start`` to ``end`` of the data."""
        if not 0 <= start <= end <= self.decoded_len:
            raise IndexError(f"bytes {start} to {end} are not in the data of {self.decoded_len}")
        data = bytearray(end - start)
        self._native.read_into(start, data)
        return data

    def keys(self) -> list[str]:
        """Return the names of the tensors."""
        return list(self._tensors())

    def metadata(self) -> dict[str, str] | None:
        """Return the metadata of the file, or ``None`` if there is none."""
        self._tensors()
        return (self._header[1] if self._header else None) or None

    def get_tensor(self, name: str) -> Any:
        """Return a tensor."""
        return self._read(name, None)

    def get_slice(self, name: str) -> Slice:
        """Return a tensor of which parts are read by indexing."""
        self._entry(name)
        return Slice(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._tensors())

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: the file is closed when the archive is no longer used."""

    def _tensors(self) -> dict[str, _native.TensorEntry]:
        with self._lock:
            if self._header is None:
                self._header = self._native.tensors()
            return self._header[0]

    def _entry(self, name: str) -> _native.TensorEntry:
        try:
            return self._tensors()[name]
        except KeyError:
            raise KeyError(f"there is no tensor {name!r}") from None

    def _read(self, name: str, rows: tuple[int, int] | None) -> Any:
        """Read a tensor, or a range of its parts along the first dimension."""
        dtype, shape, (start, end) = self._entry(name)
        shape = list(shape)
        if dtype not in _TYPES:
            raise TypeError(f"tensor {name!r} is of type {dtype}, which arrays do not have")
        if rows is not None:
            row = (end - start) // shape[0] if shape[0] else 0
            shape[0] = rows[1] - rows[0]
            start, end = start + rows[0] * row, start + rows[1] * row
        import numpy as np

        from ._memory import tensor_of

        data = np.empty(end - start, np.uint8)
        self._native.read_into(start, data)
        if not self._is_torch:
            return _as_array(data, dtype, shape)
        tensor = tensor_of(data, _TYPES[dtype], shape)
        return tensor if self._device is None else tensor.to(self._device)


class Slice:
    """A tensor in an archive of which parts are read by indexing."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive = archive
        self._name = name

    def get_shape(self) -> list[int]:
        """Return the shape of the whole tensor."""
        return list(self._archive._entry(self._name)[1])

    def get_dtype(self) -> str:
        """Return the type, as safetensors files name it."""
        return self._archive._entry(self._name)[0]

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        shape = self.get_shape()
        if not shape or not keys:
            return self._archive.get_tensor(self._name)[keys]
        rows, first = _rows(keys[0], shape[0])
        return self._archive._read(self._name, rows)[(first, *keys[1:])]


def _rows(key: Any, count: int) -> tuple[tuple[int, int] | None, Any]:
    """Return which rows an index needs, and the index within them."""
    if isinstance(key, slice):
        wanted = range(*key.indices(count))
        if not wanted:
            return (0, 0), slice(None)
        start, end = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
        return (start, end), slice(None, None, wanted.step)
    if hasattr(key, "__index__") and not isinstance(key, bool) and not getattr(key, "shape", ()):
        index = key.__index__()
        if not -count <= index < count:
            raise IndexError(f"index {index} is out of range for {count} rows")
        row = index % count
        return (row, row + 1), 0
    return None, key


def _as_array(data: Any, dtype: str, shape: list[int]) -> Any:
    name = _TYPES[dtype]
    if name == "bfloat16" or name.startswith("float8"):
        try:
            import ml_dtypes
        except ImportError:
            raise ImportError(f"numpy has no {name}: install ml_dtypes, or use torch") from None
        return data.view(getattr(ml_dtypes, name)).reshape(shape)
    return data.view(name).reshape(shape)


def open_archive(
    place: Any,
    framework: str = "numpy",
    device: Any = None,
    *,
    base: Any = None,
    threads: int = 0,
) -> Archive:
    """Open a compressed file to read tensors or ranges.

    ``place`` and ``base`` are a path, a URL that fsspec understands, or a file object that can
    seek. ``base`` is the file that a difference was made against. Tensors are arrays of numpy, or
    with ``framework="torch"`` tensors on ``device``.
    """
    base = None if base is None else _source(base)
    return Archive(_native.Archive(_source(place), base=base, threads=threads), framework, device)


def _source(place: Any) -> Any:
    if isinstance(place, str) and "://" in place:
        return _of_url(place)
    if isinstance(place, (str, os.PathLike)):
        return place
    return _of_file(place)


def _of_url(url: str) -> tuple[Any, int]:
    import fsspec

    files, path = fsspec.core.url_to_fs(url)
    return (lambda start, end: bytes(files.cat_file(path, start, end))), files.size(path)


def _of_file(file: Any) -> tuple[Any, int]:
    lock = threading.Lock()

    def read(start: int, end: int) -> bytes:
        with lock:
            file.seek(start)
            return bytes(file.read(end - start))

    with lock:
        return read, file.seek(0, os.SEEK_END)
