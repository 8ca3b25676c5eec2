"""Data sets held as arrays in one .npz or HDF5 file."""

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.data.assemble import HINT, INPUTS, assembled, is_known
from icc_cli.data.dataset import Dataset
from icc_cli.errors import DataError
from icc_cli.hdf5 import ends
from icc_cli.resources import check_memory

NUMPY = b"\x93NUMPY"
_UNREADABLE = (
    OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, SyntaxError, OverflowError, MemoryError,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""What numpy and h5py raise on files that are not theirs, or damaged."""


def load_npz(spec: str, path: Path) -> Dataset:
    """Read `path` with numpy, without pickles. DataError when it is not such a file."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as stream:
                single = stream.read(len(NUMPY)) == NUMPY
            raise DataError(f"{path} is {'a single array' if single else 'no archive'}, not an .npz file.", HINT)
        with zipfile.ZipFile(path) as archive:
            known = [name for name in archive.namelist() if is_known(name.removesuffix(".npy"))]
            _check_size(sum(_claimed(archive, name) for name in known), path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _array(file[name], name, path) for name in file.files if is_known(name)}
        return assembled(spec, arrays, str(path))
    except _UNREADABLE as error:
        raise DataError(f"cannot read {path}: {_first_line(error)}.", HINT) from error


def _claimed(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes of the array that a member of an .npz says that it is. ValueError when the member does not hold so many."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version[0] == 1 else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        size, held = math.prod(shape) * dtype.itemsize, archive.getinfo(name).file_size - member.tell()
    if dtype.hasobject or any(isinstance(side, bool) or side < 0 for side in shape) or size != held:
        raise ValueError(f"{name} says that it is of {str(shape)[:100]} {str(dtype)[:100]}, and holds {held} bytes")
    return size


def _array(value: Any, name: str, path: Path) -> NDArray[Any]:
    """What `np.load` gives for a member, which is bytes where it is no array."""
    if not isinstance(value, np.ndarray):
        raise DataError(f"{name} in {path} is no array.", HINT)
    return value


def load_h5(spec: str, path: Path) -> Dataset:
    """Read `path` with h5py. DataError when it is not such a file."""
    import h5py

    if not ends(path, "arrays", lambda file: _arrays(file, path)):
        raise DataError(f"cannot read {path}: HDF5 crashes or hangs on it.", HINT)
    try:
        with h5py.File(path, "r") as file:
            found = _arrays(file, path)
            _check_size(sum(item.nbytes for item in found.values()), path)
            return assembled(spec, {name: item[()] for name, item in found.items()}, str(path))
    except _UNREADABLE as error:
        raise DataError(f"cannot read {path}: {_first_line(error)}.", HINT) from error


def _arrays(file: Any, path: Path) -> dict[str, Any]:
    """The data sets of known names, by name."""
    names = [name for key in file for name in _members(file, key) if is_known(name)]
    return {name: _plain(file, name, path) for name in names}


def _members(file: Any, key: str) -> list[str]:
    """The names under `key`: several inputs may be data sets of a group."""
    import h5py

    group = isinstance(file.get(key, getlink=True), h5py.HardLink) and isinstance(file[key], h5py.Group)
    return [f"{key}/{name}" for name in file[key]] if group and key in INPUTS else [key]


def _plain(file: Any, name: str, path: Path) -> Any:
    """A data set that lies in this very file."""
    import h5py

    item = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
        raise DataError(f"/{name} in {path} is a link or a group, not a data set of the file itself.", HINT)
    return item


def _check_size(size: int, path: Path) -> None:
    check_memory(size, f"holding the arrays of {path}", DataError)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
