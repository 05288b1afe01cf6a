"""Memory of Python objects as numpy arrays of bytes.

The native part imports this module when it needs it, so that ``import zipnn_rs`` loads no numpy.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

_TYPES = re.compile(r"bool|u?int(8|16|32|64)|b?float16|float(32|64|128)|float8_\w+|complex(64|128)")
_HUGE_PAGE = 2 << 20
_MADV_HUGEPAGE = 14


def source(data: Any) -> tuple[np.ndarray, str | None]:
    """Return the bytes of an object, and the name of its element type if it has one."""
    if isinstance(data, np.ndarray):
        return _of_array(data)
    if is_tensor(data):
        return _of_tensor(data)
    if memoryview(data).nbytes == 0:
        return np.empty(0, np.uint8), None
    return np.frombuffer(data, np.uint8), None


def target(data: Any) -> np.ndarray:
    """Return the writable bytes of an object."""
    if is_tensor(data):
        if not data.is_contiguous() or data.device.type != "cpu":
            raise ValueError("the target must be contiguous and in the memory of the CPU")
        data = _bytes_of_tensor(data.detach())
    if isinstance(data, np.ndarray):
        if not data.flags.c_contiguous:
            raise ValueError("the target must be contiguous in C order")
        array = data.reshape(-1).view(np.uint8)
    elif memoryview(data).nbytes == 0:
        array = np.empty(0, np.uint8)
    else:
        array = np.frombuffer(data, np.uint8)
    if not array.flags.writeable:
        raise ValueError("the target is read-only")
    return array


def large(data: bytearray) -> np.ndarray:
    """Return the bytes of a new ``bytearray``, for which huge pages are requested."""
    array = np.frombuffer(data, np.uint8)
    _advise(array)
    return array


def new_bytes(length: int) -> tuple[io.BytesIO, np.ndarray]:
    """Return a buffer that becomes ``bytes`` without a copy, and the array to write to it.

    The buffer owns the only reference to its ``bytes``, which it therefore lets others write to.
    """
    buffer = io.BytesIO(bytes(length))
    array = np.frombuffer(buffer.getbuffer(), np.uint8)
    _advise(array)
    return buffer, array


def finish_bytes(buffer: io.BytesIO, length: int) -> bytes:
    """Return the first bytes of a buffer, once its array is no longer used."""
    buffer.truncate(length)
    return buffer.getvalue()


def is_tensor(data: Any) -> bool:
    """Return whether an object is a tensor of torch, without loading torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(data, torch.Tensor)


def tensor_of(data: Any, dtype: str, shape: Sequence[int]) -> Any:
    """Return the tensor of torch whose bytes these are, in the same memory."""
    import torch

    of_torch = getattr(torch, dtype)
    if len(data) == 0:
        return torch.empty(shape, dtype=of_torch)
    return torch.frombuffer(data, dtype=of_torch).reshape(shape)


def known_type(dtype: Any) -> str | None:
    """Return the name of a type of numpy or torch, or ``None`` for other types."""
    name = str(dtype).removeprefix("torch.")
    return name if _TYPES.fullmatch(name) else None


def _of_array(data: np.ndarray) -> tuple[np.ndarray, str | None]:
    if data.dtype.hasobject:
        raise TypeError(f"an array of {data.dtype} has no bytes that could be compressed")
    array = np.ascontiguousarray(data).reshape(-1).view(np.ndarray)
    return array.view(np.uint8), known_type(data.dtype)


def _of_tensor(data: Any) -> tuple[np.ndarray, str | None]:
    tensor = data.detach().cpu().resolve_conj().resolve_neg().contiguous()
    return _bytes_of_tensor(tensor), known_type(data.dtype)


def _bytes_of_tensor(tensor: Any) -> np.ndarray:
    return tensor.reshape(-1).view(sys.modules["torch"].uint8).numpy()


def _advise(array: np.ndarray) -> None:
    """Request huge pages for an array. The system is free to ignore it."""
    madvise = _madvise()
    begin = array.__array_interface__["data"][0]
    start = -(-begin // _HUGE_PAGE) * _HUGE_PAGE
    end = (begin + array.nbytes) // _HUGE_PAGE * _HUGE_PAGE
    if madvise is not None and start < end:
        madvise(start, end - start, _MADV_HUGEPAGE)


@cache
def _madvise() -> Callable[[int, int, int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        madvise = ctypes.CDLL(None).madvise
    except (ImportError, OSError, AttributeError):
        return None
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return madvise
