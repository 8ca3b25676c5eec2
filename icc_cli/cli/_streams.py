"""The standard streams, however they come: closed, full, with a reader that has gone, or holding no text."""

import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any

from icc_cli.errors import OutputError, UsageError


class ReaderGone(BaseException):
    """Whoever read our standard output has ended (`| head -1`)."""


class _Output(io.FileIO):
    """Standard output: what cannot be written is an OutputError, or ReaderGone."""

    def write(self, data: Any) -> int:
        try:
            while (written := super().write(data)) is None:  # a pipe that does not block, and is full
                select.select([], [self], [])
            return written
        except OSError as error:
            # What the buffers still hold has nowhere to go, and Python would try again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise ReaderGone from None
            raise OutputError(f"cannot write to standard output: {error.strerror}.") from error


class _Errors(io.FileIO):
    """Standard error: what cannot be written there is no reason to stop."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(memoryview(data))
        except OSError:
            return len(memoryview(data))


def prepare() -> None:
    """Put streams in the place of this process's own that behave so, in the same encoding.

    Where one is closed its number is taken by the null device, so that no file of ours gets it: standard input is then
    empty, and output an error.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)
    encoding = getattr(sys.stdout, "encoding", "utf-8")
    unknown = "surrogateescape" if encoding.lower() == "utf-8" else "replace"  # names of files may be any bytes
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    terminal = os.isatty(1)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Output(1, "w", closefd=False)), encoding, unknown, line_buffering=terminal
    )
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Errors(2, "w", closefd=False)), encoding, "backslashreplace", line_buffering=True
    )


def lines() -> Iterator[str]:
    """The lines of standard input that are not blank, as they come, without a mark of their encoding.

    Bytes that are no text stay as they are in names of files. UsageError when it is binary.
    """
    for number, line in enumerate(sys.stdin.buffer):
        if b"\0" in line:
            raise UsageError("standard input is binary.", "Pipe in paths, one a line, or records.")
        text = os.fsdecode(line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line)
        if text.strip():
            yield text.rstrip("\r\n")
