"""What a cache holds, in its file: large arrays are read from their places in it, by plain system calls."""

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from icc_cli import pages
from icc_cli.errors import FormatError
from icc_cli.stages import CACHE, next_step

HINT = "Extract it again with `icc extract --force`."


class StoredFile:
    """A file whose structure was read, open in this process: arrays are read from their places in it, without HDF5."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = _state(path.stat())
        self._stream: io.FileIO | None = None

    def open(self) -> io.FileIO:
        """Open the very file that was read, for `fill`; FormatError when it is another by now."""
        self._stream = io.FileIO(self.path)
        if _state(os.fstat(self._stream.fileno())) != self._state:
            self._stream.close()
            raise FormatError(f"{self.path} has changed while it was read.", "Run the same command again.")
        return self._stream

    def fill(self, array: NDArray[Any], offset: int) -> None:
        """Read all of `array` from `offset` on; FormatError when the file ends before."""
        rest = array.reshape(-1).view(np.uint8).data
        assert self._stream is not None
        with damage(self.path):
            while rest:
                count = os.preadv(self._stream.fileno(), [rest], offset)
                if count == 0:
                    raise FormatError(f"{self.path} is incomplete.", HINT)
                rest, offset = rest[count:], offset + count


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class CacheSite:
    """One site of an open cache; a `Site` for the measures."""

    name: str
    kind: str
    map_size: int
    shape: tuple[int, int]
    dtype: "np.dtype[np.floating]"
    file: StoredFile
    offset: int
    """Where in the file its numbers begin."""

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        """Rows start..stop, (stop - start, n); FormatError when the file is damaged there."""
        count, neurons = self.shape
        start, stop, _ = slice(start, stop).indices(count)
        found: NDArray[np.floating] = pages.empty((max(0, stop - start), neurons), self.dtype)
        self.file.fill(found, self.offset + start * neurons * self.dtype.itemsize)
        return found


class StoredSite(Protocol):
    """A site of an open cache, in one file or in several."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def map_size(self) -> int: ...

    @property
    def dtype(self) -> "np.dtype[np.floating]": ...

    @property
    def shape(self) -> tuple[int, int]: ...

    def rows(self, start: int, stop: int) -> NDArray[np.floating]: ...


@dataclass(frozen=True)
class CacheHead:
    """The last linear layer of an open cache: its `inputs` (N, d), `weight` (K', d) and `bias` (K',)."""

    inputs: StoredSite
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@contextlib.contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turn whatever h5py raises on a damaged file into a FormatError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")[:200] if str(error) else type(error).__name__
        if path.stat().st_size == 0:
            reason = "it is empty"
        step = next_step(path, CACHE)
        what = "is not a cache" if step else f"is not a readable cache: {reason}"
        raise FormatError(f"{path} {what}.", step or HINT) from error
