"""Compressed files as file objects."""

from __future__ import annotations

import builtins
import io
import os
from typing import Any

from . import _native
from ._archive import _source

_BUFFER = 1 << 20


class _Reader(io.RawIOBase):
    """The data of a compressed file, at any position."""

    def __init__(self, file: Any, owns_file: bool, threads: int) -> None:
        self._file = file
        self._owns_file = owns_file
        self._archive = _native.Archive(_source(file), threads=threads)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._archive.decoded_len}
        at = start[whence] + offset
        if at < 0:
            raise ValueError(f"negative position {at}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        memory = memoryview(buffer).cast("B")
        length = max(0, min(len(memory), self._archive.decoded_len - self._at))
        self._archive.read_into(self._at, memory[:length])
        self._at += length
        return length

    def close(self) -> None:
        if not self.closed and self._owns_file:
            self._file.close()
        super().close()


class _Stream(io.RawIOBase):
    """The data of a compressed file object that cannot seek."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._decompressor = _native.Decompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        memory = memoryview(buffer).cast("B")
        data = b""
        while not data and len(memory) and not self._decompressor.eof:
            compressed = self._file.read(_BUFFER) if self._decompressor.needs_input else b""
            if self._decompressor.needs_input and not compressed:
                self._decompressor.finish()
                break
            data = self._decompressor.decompress(compressed, len(memory))
        memory[: len(data)] = data
        return len(data)


class ZipnnFile(io.BufferedIOBase):
    """A file that is compressed as it is written.

    Leaving its ``with`` block by an exception does not complete the file, so that readers report
    it as truncated.
    """

    def __init__(self, file: Any, owns_file: bool, compressor: _native.Compressor) -> None:
        self._file = file
        self._owns_file = owns_file
        self._compressor = compressor
        self._length = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        """Return how many bytes have been written."""
        return self._length

    def write(self, data: Any) -> int:
        """Compress more data."""
        if self.closed:
            raise ValueError("the file is closed")
        length = memoryview(data).nbytes
        self._file.write(self._compressor.compress(data))
        self._length += length
        return length

    def close(self) -> None:
        """Complete the file."""
        if self.closed:
            return
        try:
            self._file.write(self._compressor.flush())
        finally:
            self._abandon()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def __del__(self) -> None:
        """Leave the file incomplete: nothing has said that it is complete."""

    def _abandon(self) -> None:
        if self._owns_file:
            self._file.close()
        # Marks this object as closed; there is nothing left to flush.
        io.IOBase.close(self)


def open(
    file: str | os.PathLike[str] | Any,
    mode: str = "rb",
    dtype: Any = None,
    *,
    threads: int = 0,
    checksums: bool = True,
    extended: bool = False,
    max: bool = False,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> Any:
    """Open a compressed file as a file object.

    ``file`` is a path or a binary file object. A file object stays open when the result is closed.
    The modes are ``"r"``, ``"w"`` and ``"x"``, with ``"b"`` (the default) or ``"t"`` for text.
    Reading can seek if ``file`` can. ``dtype``, ``checksums``, ``extended`` and ``max`` are for
    writing.
    """
    kind = mode.replace("b", "").replace("t", "")
    if kind not in ("r", "w", "x") or ("b" in mode and "t" in mode):
        raise ValueError(f"invalid mode {mode!r}")
    if "t" not in mode and (encoding, errors, newline) != (None, None, None):
        raise ValueError("encoding, errors and newline are for text")
    if kind == "r":
        binary = _open_to_read(file, threads)
    else:
        compressor = _native.Compressor(dtype, checksums=checksums, extended=extended, max=max)
        binary = ZipnnFile(*_open_plain(file, f"{kind}b"), compressor)
    return binary if "t" not in mode else io.TextIOWrapper(binary, encoding, errors, newline)


def _open_plain(file: Any, mode: str) -> tuple[Any, bool]:
    """Return a file object, and whether this function opened it."""
    if isinstance(file, (str, bytes, os.PathLike)):
        return builtins.open(file, mode), True
    return file, False


def _open_to_read(file: Any, threads: int) -> Any:
    opened, owns_file = _open_plain(file, "rb")
    try:
        if not opened.seekable():
            return io.BufferedReader(_Stream(opened), _BUFFER)
        return io.BufferedReader(_Reader(opened, owns_file, threads), _BUFFER)
    except BaseException:
        if owns_file:
            opened.close()
        raise
