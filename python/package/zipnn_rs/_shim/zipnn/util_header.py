"""Codes in the header of a file."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any


class _NamedCode(Enum):
    """A code that is also found by its name, in any case."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


class EnumMethod(_NamedCode):
    AUTO = 0
    HUFFMAN = 1
    ZSTD = 2
    LZ4 = 3
    SNAPPY = 4


class EnumFormat(_NamedCode):
    BYTE = 1
    TORCH = 2
    NUMPY = 3
    FILE = 4


class EnumLossy(_NamedCode):
    NONE = 0
    INTEGER = 1
    UNSIGN = 2


def bools_to_bitmask(bools: Iterable[Any]) -> bytes:
    """Return one byte with a bit for each of up to eight values, the first the lowest."""
    return bytes([sum(1 << index for index, value in enumerate(bools) if value)])
