"""The native part of the package."""

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, TypeAlias, final

from _typeshed import ReadableBuffer

VERSION: str

_Path: TypeAlias = str | PathLike[str]
_Place: TypeAlias = _Path | tuple[Callable[[int, int], bytes], int]
# Bytes-like objects, arrays of numpy and tensors of torch.
_Data: TypeAlias = ReadableBuffer | Any
# A name, or a type of numpy, `ml_dtypes` or torch.
_Type: TypeAlias = str | Any
TensorEntry: TypeAlias = tuple[str, list[int], tuple[int, int]]

def compress(
    data: _Data,
    dtype: _Type | None = None,
    *,
    base: _Data | None = None,
    threads: int = 0,
    checksums: bool = True,
    extended: bool = False,
    max: bool = False,
) -> bytes: ...
def compress_bytearray(
    data: _Data,
    dtype: _Type | None = None,
    *,
    base: _Data | None = None,
    threads: int = 0,
    checksums: bool = True,
    extended: bool = False,
    max: bool = False,
) -> bytearray: ...
def compress_into(
    data: _Data,
    out: _Data,
    dtype: _Type | None = None,
    *,
    threads: int = 0,
    checksums: bool = True,
    extended: bool = False,
    max: bool = False,
) -> int: ...
def compress_bound(
    len: int,
    dtype: _Type | None = None,
    *,
    checksums: bool = True,
    extended: bool = False,
    max: bool = False,
) -> int: ...
def compress_shaped(
    data: _Data,
    dtype: _Type,
    form: str,
    shape: list[int],
    *,
    chunk_log2: int,
    threshold: float,
) -> bytes: ...
def compress_frames(
    data: _Data,
    dtype: _Type,
    *,
    frame_len: int | None,
    chunk_log2: int,
    threshold: float,
    delta: str | None,
    threads: int,
) -> bytes | bytearray: ...
def decompress(
    data: _Data,
    *,
    base: _Data | None = None,
    threads: int = 0,
    max_output: int | None = None,
) -> bytearray: ...
def decompress_into(data: _Data, out: _Data, *, threads: int = 0) -> int: ...
def decoded_len(data: _Data) -> int: ...
def verify(data: _Data, *, max_output: int | None = None) -> int: ...
def info(data: _Data) -> dict[str, Any]: ...
def simd_level() -> str: ...
def compress_file(
    source: _Path,
    target: _Path,
    dtype: _Type | None = None,
    *,
    threads: int = 0,
    checksums: bool = True,
    extended: bool = False,
    max: bool = False,
    overwrite: bool = False,
) -> int: ...
def decompress_file(
    source: _Path,
    target: _Path,
    *,
    base: _Path | None = None,
    threads: int = 0,
    overwrite: bool = False,
) -> int: ...
def panic_for_tests(threads: int) -> None: ...

@final
class Compressor:
    def __new__(
        cls,
        dtype: _Type | None = None,
        *,
        checksums: bool = True,
        extended: bool = False,
        max: bool = False,
        frame_len: int | None = None,
    ) -> Compressor: ...
    def compress(self, data: _Data) -> bytes: ...
    def flush(self) -> bytes: ...

@final
class Decompressor:
    def __new__(cls, *, max_output: int | None = None) -> Decompressor: ...
    def decompress(self, data: _Data, max_length: int = -1) -> bytes: ...
    def finish(self) -> None: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...

@final
class UpdateEncoder:
    def __new__(cls, step: int, *, extended: bool = True, max: bool = False) -> UpdateEncoder: ...
    def add(self, name: str, before: _Data, after: _Data, dtype: _Type | None = None) -> None: ...
    def finish(self) -> bytes: ...

@final
class Update:
    def __new__(cls, message: _Data) -> Update: ...
    @property
    def step(self) -> int: ...
    @property
    def names(self) -> list[str]: ...
    def check(self, weights: Mapping[str, _Data]) -> None: ...
    def apply(self, weights: Mapping[str, _Data]) -> None: ...

@final
class Archive:
    def __new__(cls, place: _Place, *, base: _Place | None = None, threads: int = 0) -> Archive: ...
    @property
    def decoded_len(self) -> int: ...
    @property
    def bytes_read(self) -> int: ...
    def read_into(self, start: int, out: _Data) -> None: ...
    def tensors(self) -> tuple[dict[str, TensorEntry], dict[str, str]]: ...

@final
class InsideFile:
    @staticmethod
    def open(path: _Path, *, threads: int = 0) -> InsideFile | None: ...
    @property
    def decoded_len(self) -> int: ...
    def read_into(self, out: _Data) -> int: ...
