"""Element types and their codes, without torch."""

from __future__ import annotations

# Names in the order of their codes, which begin at 0.
NAMES = (
    "none float32 float float64 float16 half bfloat16 complex32 chalf complex64 cfloat complex128"
    " cdouble uint8 uint16 uint32 uint64 int8 int16 short int32 int int64 long bool quint8 qint8"
    " qint32 quint4x2 float8_e4m3fn float8_e5m2"
).split()

# Other names of types that can be compressed.
_ALIASES = {"float": "float32", "half": "float16"}
_COMPRESSED = ("float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def compressed_type(dtype: object) -> str:
    """Return the name of a type that can be compressed."""
    name = str(dtype).removeprefix("torch.").lower()
    name = _ALIASES.get(name, name)
    if name not in _COMPRESSED:
        raise ValueError(f"{dtype} is not supported: use one of {', '.join(_COMPRESSED)}")
    return name
