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

    def __init__(self, file: Any, threads: int) -> None:
        self._file = file
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
        if not self.closed:
            self._file.close()
        super().close()


class ZipnnFile(io.BufferedIOBase):
    """A file that is compressed as it is written.

    Leaving its ``with`` block by an exception does not complete the file, so that readers report
    it as truncated.
    """

    def __init__(self, file: Any, compressor: _native.Compressor) -> None:
        self._file = file
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
        self._file.close()
        # Marks this object as closed; there is nothing left to flush.
        io.IOBase.close(self)


def open(
    path: str | os.PathLike[str],
    mode: str = "rb",
    dtype: Any = None,
    *,
    threads: int = 0,
    checksums: bool = True,
    extended: bool = False,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> Any:
    """Open a compressed file as a file object.

    The modes are ``"r"``, ``"w"`` and ``"x"``, with ``"b"`` (the default) or ``"t"`` for text. A
    file that is read can seek. ``dtype``, ``checksums`` and ``extended`` are for writing.
    """
    kind = mode.replace("b", "").replace("t", "")
    if kind not in ("r", "w", "x") or ("b" in mode and "t" in mode):
        raise ValueError(f"invalid mode {mode!r}")
    if "t" not in mode and (encoding, errors, newline) != (None, None, None):
        raise ValueError("encoding, errors and newline are for text")
    if kind == "r":
        file = builtins.open(path, "rb")
        try:
            binary: Any = io.BufferedReader(_Reader(file, threads), _BUFFER)
        except BaseException:
            file.close()
            raise
    else:
        compressor = _native.Compressor(dtype, checksums=checksums, extended=extended)
        binary = ZipnnFile(builtins.open(path, f"{kind}b"), compressor)
    return binary if "t" not in mode else io.TextIOWrapper(binary, encoding, errors, newline)
