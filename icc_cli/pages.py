"""Large arrays in memory that one after another use.

Every page that comes from the system is filled with zeros first, which may take as long as to read a file into it.
"""

import contextlib
import math
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

WORTH = 16 * 2**20
"""Bytes from which an array's memory is kept here: what is smaller, malloc keeps."""

_free: list[NDArray[np.uint8]] | None = None
_lock = threading.RLock()  # an array may go while another is asked for


@contextlib.contextmanager
def used_again() -> Iterator[None]:
    """Within the block, the memory of arrays from `empty` that are gone is used for the next ones."""
    global _free
    if _free is not None:
        yield
        return
    _free = []
    try:
        yield
    finally:
        _free = None


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """numpy.empty, but within `used_again` in the memory of a large array that is gone, where there is one."""
    kind, count = np.dtype(dtype), math.prod(shape)
    if _free is None or count * kind.itemsize < WORTH:
        return np.empty(shape, kind)
    region = _region(count * kind.itemsize)
    array: NDArray[Any] = np.frombuffer(region.data, kind, count)  # which every view of it holds
    weakref.finalize(array, _keep, region).atexit = False
    return array.reshape(shape)


def give_back() -> None:
    """Return what waits for the next array to the system."""
    with _lock:
        if _free is not None:
            _free.clear()


def _region(size: int) -> NDArray[np.uint8]:
    """The smallest that is free and will do; where none will, a new one in their place."""
    with _lock:
        fitting = [region for region in _free or () if region.nbytes >= size]
        if fitting and _free is not None:
            found = min(fitting, key=len)
            _free[:] = [region for region in _free if region is not found]
            return found
        give_back()
    return np.empty(size, np.uint8)


def _keep(region: NDArray[np.uint8]) -> None:
    with _lock:
        if _free is not None:
            _free.append(region)
