"""Lossless compression of AI model weights: reads and writes ZipNN's ``.znn`` files.

>>> import zipnn_rs
>>> file = zipnn_rs.compress(b"\\x80\\x3f" * 1000, "bfloat16")
>>> zipnn_rs.decompress(file) == b"\\x80\\x3f" * 1000
True
"""

from ._interpreter import refuse_sub_interpreters

refuse_sub_interpreters()

from ._archive import Archive, Slice, open_archive
from ._errors import ZipnnError
from ._file import ZipnnFile, open
from ._native import (
    VERSION as __version__,
)
from ._native import (
    Compressor,
    Decompressor,
    Update,
    UpdateEncoder,
    compress,
    compress_bound,
    compress_bytearray,
    compress_file,
    compress_into,
    decoded_len,
    decompress,
    decompress_file,
    decompress_into,
    info,
    simd_level,
    verify,
)

__all__ = [
    "Archive",
    "Compressor",
    "Decompressor",
    "Slice",
    "Update",
    "UpdateEncoder",
    "ZipnnError",
    "ZipnnFile",
    "compress",
    "compress_bound",
    "compress_bytearray",
    "compress_file",
    "compress_into",
    "decoded_len",
    "decompress",
    "decompress_file",
    "decompress_into",
    "info",
    "open",
    "open_archive",
    "simd_level",
    "verify",
]
