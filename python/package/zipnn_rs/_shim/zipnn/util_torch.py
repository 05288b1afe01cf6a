"""Types and shapes of tensors."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import Enum
from typing import Any

import numpy as np
import torch

from ._types import NAMES
from .util_header import EnumFormat

_NUMPY = {
    "float": np.float32,
    "half": np.float16,
    "cfloat": np.complex64,
    "cdouble": np.complex128,
    "short": np.int16,
    "int": np.int32,
    "long": np.int64,
    "bool": np.bool_,
}
_PYTHON = {
    **dict.fromkeys(("float32", "float", "float64"), float),
    **dict.fromkeys(("complex64", "cfloat", "complex128", "cdouble"), complex),
    **dict.fromkeys(("int32", "int", "int64", "long"), int),
    "bool": bool,
}
# The original leaves these out.
_NOT_OF_TORCH = ("uint16", "uint32", "uint64")


def _members() -> dict[str, tuple[Any, ...]]:
    members: dict[str, tuple[Any, ...]] = {"NONE": (None, None, None, "none", 0)}
    for code, name in enumerate(NAMES[1:], 1):
        of_torch = None if name in _NOT_OF_TORCH else getattr(torch, name, None)
        members[name.upper()] = (
            of_torch,
            _NUMPY.get(name, getattr(np, name, None)),
            _PYTHON.get(name),
            name,
            code,
        )
    return members


class _DtypeEnum(Enum):
    def __init__(
        self, torch_dtype: Any, numpy_dtype: Any, python_dtype: Any, dtype_str: str, code: int
    ) -> None:
        self.torch_dtype = torch_dtype
        self.numpy_dtype = numpy_dtype
        self.python_dtype = python_dtype
        self.dtype_str = dtype_str
        self.code = code

    @classmethod
    def from_dtype(cls, dtype: Any) -> Any:
        """Return the member for a type, or for its name."""
        if isinstance(dtype, str):
            return cls.__members__.get(dtype.upper(), cls["NONE"])
        for member in cls:
            kinds = (member.torch_dtype, member.numpy_dtype, member.python_dtype)
            if any(kind is not None and dtype == kind for kind in kinds):
                return member
        return cls["NONE"]

    @classmethod
    def from_code(cls, code: int) -> Any:
        """Return the name of the member with a code."""
        return next((member.name for member in cls if member.code == code), cls["NONE"])


ZipNNDtypeEnum: Any = _DtypeEnum("ZipNNDtypeEnum", _members())  # type: ignore[call-arg]


def zipnn_multiply_if_max_below(
    tensor: torch.Tensor, max_val: float, multiplier: float, dtype: torch.dtype
) -> tuple[torch.Tensor, bool]:
    """Multiply a tensor and convert it, if all of its values are small enough."""
    if tensor.abs().max().item() < max_val:
        return (tensor * multiplier).to(dtype), True
    return tensor, False


def zipnn_divide_int(tensor: torch.Tensor, divisor: float) -> torch.Tensor:
    """Divide integers, and return them as ``float32``."""
    return tensor.to(torch.float32) / divisor


def zipnn_get_dtype_bits(dtype: torch.dtype) -> tuple[int, torch.dtype]:
    """Return the size of a floating point type in bits, and the integer type of that size."""
    integers = {16: torch.int16, 32: torch.int32}
    bits = torch.finfo(dtype).bits if dtype.is_floating_point else 0
    if bits not in integers:
        raise ValueError(f"{dtype} is not a floating point type of 16 or 32 bits")
    return bits, integers[bits]


def zipnn_pack_shape(shape: Iterable[int]) -> bytes:
    """Return a shape as it is stored: each dimension after the number of its bytes."""
    packed = bytearray()
    dimensions = tuple(shape)
    for dimension in dimensions:
        size = next(size for size in (1, 2, 4, 8) if dimension < 1 << 8 * size)
        packed.append(size)
        packed += dimension.to_bytes(size, "little")
    return bytes([len(dimensions)]) + bytes(packed)


def zipnn_unpack_shape(packed_data: Any) -> tuple[tuple[int, ...], int]:
    """Return the shape that is stored in bytes, and how many bytes it takes."""
    formats = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}
    dimensions: list[int] = []
    at = 1
    for _ in range(packed_data[0]):
        size = packed_data[at]
        dimensions += struct.unpack_from(formats[size], packed_data, at + 1)
        at += 1 + size
    return tuple(dimensions), at


def zipnn_is_floating_point(data_format_value: int, data: Any, bytearray_dtype: Any) -> bool:
    """Return whether the elements are floating point numbers."""
    if data_format_value == EnumFormat.TORCH.value:
        return torch.is_floating_point(data)
    if data_format_value == EnumFormat.NUMPY.value:
        return bool(np.issubdtype(data.dtype, np.floating))
    names = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
    return bytearray_dtype in names
