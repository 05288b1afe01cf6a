"""Errors that name the place in the file."""


class ZipnnError(ValueError):
    """Something is wrong with a file, or with a call.

    ``code`` names the kind of error, for example ``"Truncated"`` or ``"ChecksumMismatch"``.
    ``frame``, ``chunk`` and ``plane`` name the place, as far as it is known.
    """

    code: str
    frame: int | None
    chunk: int | None
    plane: int | None

    def __init__(
        self,
        message: str,
        code: str,
        frame: int | None = None,
        chunk: int | None = None,
        plane: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.frame = frame
        self.chunk = chunk
        self.plane = plane

    def __reduce__(self):
        return type(self), (str(self), self.code, self.frame, self.chunk, self.plane)
