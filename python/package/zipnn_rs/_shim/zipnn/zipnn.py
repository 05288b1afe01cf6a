"""The class ``ZipNN`` of the original."""

from __future__ import annotations

import os
import warnings
from typing import Any

from zipnn_rs import _native, decompress, hf, info
from zipnn_rs._memory import is_tensor, source, tensor_of

from ._types import NAMES, compressed_type
from .util_header import EnumFormat, EnumLossy, EnumMethod
from .util_patch import multi_process_patcher

_VERSION = (0, 5, 4)
_MOST_THREADS = 16

# Parameters without effect, in the original as well, and their defaults.
_WITHOUT_EFFECT = {
    "is_monotonic": 0,
    "check_th_after_percent": 10,
    "byte_reorder": 0,
    "reorder_signbit": 0,
    "lossy_compressed_type": 0,
    "lossy_compressed_factor": 27,
    "input_file": None,
    "decompressed_file": None,
    "zstd_level": 3,
    "lz4_compression_level": 0,
}


class ZipNN:
    """Compresses and decompresses bytes, tensors and arrays, as the original does.

    The parameters and their defaults are those of the original. Parameters that have no effect are
    accepted with a warning. Files are in the original's form, without checksums. Inputs are never
    modified.
    """

    def __init__(
        self,
        method: str = "AUTO",
        input_format: str = "byte",
        bytearray_dtype: Any = "bfloat16",
        is_monotonic: int = 0,
        threads: int | None = 0,
        compression_threshold: float = 0.95,
        check_th_after_percent: int = 10,
        byte_reorder: int = 0,
        reorder_signbit: int = 0,
        delta_compressed_type: str | int | None = 0,
        lossy_compressed_type: str | int | None = 0,
        lossy_compressed_factor: int = 27,
        compression_chunk: int = 256 * 1024,
        is_streaming: bool = False,
        streaming_chunk: int = 1024 * 1024,
        input_file: str | None = None,
        compressed_file: str | None = None,
        decompressed_file: str | None = None,
        zstd_level: int = 3,
        lz4_compression_level: int = 0,
    ) -> None:
        for name, default in _WITHOUT_EFFECT.items():
            _warn_without_effect(name, locals()[name], default)
        self.method = EnumMethod(method).value
        if self.method not in (EnumMethod.AUTO.value, EnumMethod.HUFFMAN.value):
            warnings.warn(
                f"method {method!r} has no effect: the original codes alike", stacklevel=2
            )
        self._format = EnumFormat(input_format)
        if self._format is EnumFormat.FILE:
            raise ValueError("the input format 'file' does not exist in the original either")
        self.input_format = self._format.value
        self.bytearray_dtype = bytearray_dtype
        self.is_monotonic = is_monotonic
        self.threads = threads or min(os.cpu_count() or 1, _MOST_THREADS)
        self.compression_threshold = compression_threshold
        self.check_th_after_percent = check_th_after_percent
        self.byte_reorder = byte_reorder
        self.reorder_signbit = reorder_signbit
        self.delta_compressed_type = delta_compressed_type
        self.lossy_compressed_type = EnumLossy(lossy_compressed_type or 0)
        if (
            self.lossy_compressed_type is not EnumLossy.NONE
            and self._format is not EnumFormat.TORCH
        ):
            raise ValueError("lossy compression is for tensors")
        self.lossy_compressed_factor = lossy_compressed_factor
        self.compression_chunk = _power_of_two("compression_chunk", compression_chunk)
        if is_streaming and self._format is not EnumFormat.BYTE:
            raise ValueError("Streaming is currently implemented only for bytes data type.")
        self.is_streaming = is_streaming
        self.streaming_chunk = _power_of_two("streaming_chunk", streaming_chunk)
        self.input_file = input_file
        self.compressed_file = compressed_file
        self.decompressed_file = decompressed_file
        self.zstd_level = zstd_level
        self.lz4_compression_level = lz4_compression_level
        self.header_length = 32

    def compress(
        self,
        data: Any,
        compress_cpu_gpu: str = "cpu",
        delta_second_data: Any = None,
        lossy_compressed_type: Any = None,
        lossy_compressed_factor: Any = None,
    ) -> bytes | bytearray:
        """Compress bytes, a tensor or an array, as the ``input_format`` says."""
        _warn_without_effect("compress_cpu_gpu", compress_cpu_gpu, "cpu")
        _warn_without_effect("lossy_compressed_type", lossy_compressed_type, None)
        _warn_without_effect("lossy_compressed_factor", lossy_compressed_factor, None)
        second = self._second_data(delta_second_data)
        if self._format is not EnumFormat.BYTE:
            return self._compress_shaped(data, second)
        if second is not None:
            data = _difference(data, second)
        file: bytes | bytearray = _native.compress_frames(
            data,
            compressed_type(self.bytearray_dtype),
            frame_len=self.streaming_chunk if self.is_streaming else None,
            chunk_log2=self.compression_chunk.bit_length() - 1,
            threshold=self._threshold(),
            delta=self._delta(),
            threads=self.threads,
        )
        return file

    def decompress(
        self, data: Any, decompress_cpu_gpu: str = "cpu", delta_second_data: Any = None
    ) -> Any:
        """Decompress a file to what it was made from: bytes, a tensor or an array."""
        _warn_without_effect("decompress_cpu_gpu", decompress_cpu_gpu, "cpu")
        second = self._second_data(delta_second_data)
        header = source(data)[0][: self.header_length].tobytes()
        form = header[8] if len(header) > 8 else EnumFormat.BYTE.value
        decoded = decompress(data, base=second, threads=self.threads)
        if form == EnumFormat.BYTE.value:
            return decoded
        about = info(data)
        return _restored(decoded, about["form"], about["dtype"], about["shape"])

    def decompress_read_file(self, data: str | None = None) -> Any:
        """Decompress the file of a name, or else the ``compressed_file``."""
        name = data if data is not None else self.compressed_file
        if name is None:
            raise ValueError("there is neither a name nor a compressed_file")
        with open(name, "rb") as file:
            return self.decompress(file.read())

    def write_bin(self, ba_decom: Any) -> int:
        """Write data to the ``decompressed_file``."""
        if self.decompressed_file is None:
            raise ValueError("there is no decompressed_file")
        with open(self.decompressed_file, "wb") as file:
            file.write(ba_decom)
        return 0

    def metadata(self, file: Any, version: bool = False) -> dict[str, Any] | None:
        """Print and return what the header of a file says; ``file`` is a name or the bytes."""
        if isinstance(file, (str, os.PathLike)):
            with open(file, "rb") as opened:
                # The longest shape has 255 dimensions of nine bytes.
                file = opened.read(self.header_length + 1 + 255 * 9)
        header = memoryview(file)
        if len(header) < self.header_length or header[:2] != b"ZN":
            raise ValueError("Header should start with ZN")
        release = ".".join(str(part) for part in header[2:5])
        if version:
            print(f"ZipNN version: {release}")
            return None
        values = _header_values(header, release)
        print(values)
        return values

    def __metadata__(self) -> dict[str, Any]:
        """Print and return the parameters."""
        values = {
            "ZipNN version": ".".join(map(str, _VERSION)),
            "Byte reorder": self.byte_reorder,
            "Bit reorder": self.reorder_signbit,
            "Method": self.method,
            "Input format": self.input_format,
            "Data type": self.bytearray_dtype,
            "Is monotonic": self.is_monotonic,
            "Threads": self.threads,
            "Compression threshold": self.compression_threshold,
            "Check threshold after percent": self.check_th_after_percent,
            "Delta compressed type": self.delta_compressed_type,
            "Lossy compressed type": self.lossy_compressed_type,
            "Lossy compressed factor": self.lossy_compressed_factor,
            "Compression chunk": self.compression_chunk,
            "Is streaming": self.is_streaming,
            "Streaming chunk": self.streaming_chunk,
            "Input file path": self.input_file,
            "Compressedfile path": self.compressed_file,
            "Decompressed file path": self.decompressed_file,
        }
        print(values)
        return values

    def __version__(self) -> None:
        """Print the release whose interface this is."""
        print(f"ZipNN version: {'.'.join(map(str, _VERSION))}")

    def use_var(self, data: Any, class_var: Any) -> Any:
        """Return ``data``, or ``class_var`` where it is ``None``."""
        return class_var if data is None else data

    def _delta(self) -> str | None:
        return str(self.delta_compressed_type) if self._is_delta() else None

    def _is_delta(self) -> bool:
        return self.delta_compressed_type in ("byte", "file")

    def _threshold(self) -> float:
        # Above 1 the original stores planes that grew when they were coded.
        return min(float(self.compression_threshold), 1.0)

    def _second_data(self, second: Any) -> Any:
        """Return the base of a difference, if this object is for differences."""
        if not self._is_delta():
            if second is not None:
                raise ValueError(
                    "ZipNN isn't set for delta compression, but delta_second_data is not null."
                )
            return None
        if second is None:
            raise ValueError("delta_second_data is None or not set for delta compression")
        if self.delta_compressed_type == "byte":
            return second
        with open(second, "rb") as file:
            return file.read()

    def _compress_shaped(self, data: Any, second: Any) -> bytes:
        if second is not None:
            raise ValueError("differences are for bytes")
        form = "torch" if self._format is EnumFormat.TORCH else "numpy"
        if (form == "torch") != is_tensor(data):
            raise TypeError(f"input_format is {form!r}, but the data is a {type(data).__name__}")
        file: bytes = _native.compress_shaped(
            data,
            compressed_type(data.dtype),
            form,
            list(data.shape),
            chunk_log2=self.compression_chunk.bit_length() - 1,
            threshold=self._threshold(),
        )
        return file


def zipnn_hf(replace_local_file: bool = False) -> None:
    """Let ``from_pretrained`` of transformers read compressed weights."""
    hf.zipnn_hf(replace_local_file)


def zipnn_safetensors() -> None:
    """Let safetensors read compressed tensors, also in processes that this one starts."""
    multi_process_patcher(hf.zipnn_safetensors)


def _warn_without_effect(name: str, value: Any, default: Any) -> None:
    if value != default and not (value is None and default == 0):
        message = f"{name}={value!r} has no effect, in the original as well"
        warnings.warn(message, stacklevel=3)


def _power_of_two(name: str, value: int) -> int:
    if value <= 0 or value & (value - 1):
        raise ValueError(f"{name} must be a number that is a power of 2.")
    return value


def _difference(data: Any, second: Any) -> Any:
    import numpy as np

    first, base = source(data)[0], source(second)[0]
    if len(first) != len(base):
        raise ValueError("Length of delta file has to match the length of the original file.")
    return np.bitwise_xor(first, base)


def _restored(decoded: bytearray, form: str, dtype: str, shape: list[int]) -> Any:
    """Return the tensor or array whose bytes these are, in the same memory."""
    if form == "torch":
        return tensor_of(decoded, dtype, shape)
    import numpy as np

    of_numpy = dtype
    if not hasattr(np, dtype):
        import ml_dtypes

        of_numpy = getattr(ml_dtypes, dtype)
    return np.frombuffer(decoded, np.uint8).view(of_numpy).reshape(shape)


def _header_values(header: memoryview, release: str) -> dict[str, Any]:
    code = header[15]
    values = {
        "zipnn version": release,
        "byte_reorder": header[5],
        "bit_reorder": header[6],
        "method": _name(EnumMethod, header[7], "UNKNOWN"),
        "input_format": _name(EnumFormat, header[8], "UNKNOWN"),
        "delta_compressed_type": {1: "byte", 2: "file"}.get(header[9], 0),
        "lossy_compressed_type": _name(EnumLossy, header[10], "NONE"),
        "lossy_compressed_factor": header[11],
        "lossy_is_int": header[12],
        "is_streaming": header[13] > 127,
        "compression_chunk": f"{2 ** header[14]} Bytes",
        "dtype": NAMES[code].upper() if code < len(NAMES) else "NONE",
        "original_len": f"{int.from_bytes(header[16:24], 'little')} Bytes",
    }
    if header[8] in (EnumFormat.TORCH.value, EnumFormat.NUMPY.value):
        values["shape_bytes"], values["shape_size"] = _shape(header[32:])
    return values


def _shape(packed: memoryview) -> tuple[tuple[int, ...], int]:
    dimensions, at = [], 1
    for _ in range(packed[0]):
        size = packed[at]
        dimensions.append(int.from_bytes(packed[at + 1 : at + 1 + size], "little"))
        at += 1 + size
    return tuple(dimensions), at


def _name(codes: Any, code: int, otherwise: str) -> str:
    return codes(code).name if code in codes._value2member_map_ else otherwise
