"""What a network is given when it is not an image: arrays of any shape, taken as they are."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import DataError

BLOCK = 4096
"""Rows that are hashed at a time."""

Arguments = tuple[tuple[NDArray[Any], ...], dict[str, NDArray[Any]]]
"""Arrays that a forward pass takes by position, and those that it takes by name."""


@runtime_checkable
class Inputs(Protocol):
    """What is asked of a split's inputs: arrays with one row per sample, or something that reads them on demand."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of one sample of each input, by its name; a number is a position."""
        ...

    def __len__(self) -> int: ...

    def arguments(self, rows: NDArray[np.int64]) -> Arguments:
        """What the network is called with for these samples."""
        ...

    def select(self, rows: NDArray[np.int64]) -> "Inputs":
        """The inputs of these samples, in that order."""
        ...

    def fingerprint(self) -> bytes:
        """sha256 over all of them."""
        ...


@dataclass(frozen=True)
class InputArrays:
    """Inputs in memory, float32 or int64, each of shape (N, ...), by name; names that are numbers are positions."""

    arrays: Mapping[str, NDArray[Any]]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: array.shape[1:] for name, array in self.arrays.items()}

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def arguments(self, rows: NDArray[np.int64]) -> Arguments:
        return arguments({name: array[rows] for name, array in self.arrays.items()})

    def select(self, rows: NDArray[np.int64]) -> "InputArrays":
        return InputArrays({name: array[rows] for name, array in self.arrays.items()})

    def fingerprint(self) -> bytes:
        digest = hashlib.sha256()
        for name, array in self.arrays.items():
            digest.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode())
            for start in range(0, len(array), BLOCK):
                digest.update(np.ascontiguousarray(array[start : start + BLOCK]).tobytes())
        return digest.digest()


def arguments(arrays: Mapping[str, NDArray[Any]]) -> Arguments:
    """Arrays by name as the arguments of a call."""
    positions = sorted((name for name in arrays if name.isdecimal()), key=int)
    return tuple(arrays[name] for name in positions), {n: a for n, a in arrays.items() if not n.isdecimal()}


def as_input(values: Any, name: str, where: str) -> NDArray[Any]:
    """(N, ...) numbers as a network takes them: floats as float32, integers as int64.

    Raises DataError for anything else, and for bytes: whether those are pixels to be scaled is not known.
    """
    array = np.asarray(values)
    if array.dtype == np.uint8:
        raise DataError(
            f"{name} in {where} is uint8, which may be pixels.",
            "Call pixels images, to have them scaled and normalised; convert others to float32 or int64.",
        )
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise DataError(f"{name} in {where} is {array.shape} {array.dtype}, expected (N, ...) float32 or int64.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        first = f", first in row {np.argwhere(~np.isfinite(array))[0][0]}" if len(array) > 1 else ""
        raise DataError(f"{name} in {where} holds NaN or infinity{first}.", "Fill or leave out such samples.")
    return array.astype(np.float32 if array.dtype.kind in "fb" else np.int64, copy=False)
