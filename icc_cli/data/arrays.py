"""Data sets held as arrays in one .npz or HDF5 file."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icc_cli.data.dataset import Dataset, Split
from icc_cli.errors import DataError
from icc_cli.resources import free_memory

HINT = "Expected images (N, H, W, C) or (N, H, W) uint8 and labels (N,), and may hold sublabels and test_ arrays."


BLOCK = 256
"""Images whose pixels are counted at a time."""
ARRAYS = ("images", "labels", "sublabels")
NAMES = (*ARRAYS, *(f"test_{name}" for name in ARRAYS), "label_names", "sublabel_names")


def load_npz(spec: str, path: Path) -> Dataset:
    """Read `path` with numpy, without pickles. DataError when it is not such a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if isinstance(file, np.ndarray):
                raise DataError(f"{path} is a single array, not an .npz file.", HINT)
            with zipfile.ZipFile(path) as archive:
                _check_size(sum(member.file_size for member in archive.infolist()), path)
            return _dataset(spec, {name: file[name] for name in file.files if name in NAMES}, path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise DataError(f"cannot read {path}: {_first_line(error)}.", HINT) from error


def load_h5(spec: str, path: Path) -> Dataset:
    """Read `path` with h5py. DataError when it is not such a file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = {name: _plain(file, name, path) for name in NAMES if name in file}
            _check_size(sum(item.nbytes for item in found.values()), path)
            return _dataset(spec, {name: item[()] for name, item in found.items()}, path)
    except (OSError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        raise DataError(f"cannot read {path}: {_first_line(error)}.", HINT) from error


def _plain(file: Any, name: str, path: Path) -> Any:
    """A data set that lies in this very file."""
    import h5py

    item = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external:
        raise DataError(f"/{name} in {path} is no data set of that very file, but a link or a group.", HINT)
    return item


def _check_size(size: int, path: Path) -> None:
    if size > free_memory():
        raise DataError(f"the arrays of {path} take {size / 2**30:.1f} GiB, more than the memory that is free.")


def _dataset(spec: str, arrays: Mapping[str, Any], path: Path) -> Dataset:
    train = _split(arrays, "", path)
    if train is None:
        raise DataError(f"{path} has no images.", HINT)
    mean, std = _normalisation(train.images)
    return Dataset(
        spec=spec,
        train=train,
        test=_split(arrays, "test_", path),
        label_names=_names(arrays.get("label_names")),
        sublabel_names=_names(arrays.get("sublabel_names")),
        mean=mean,
        std=std,
    )


def _split(arrays: Mapping[str, Any], prefix: str, path: Path) -> Split | None:
    if prefix + "images" not in arrays:
        return None
    images = np.asarray(arrays[prefix + "images"])
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(f"{prefix}images in {path} is {images.shape} {images.dtype}.", HINT)
    if prefix + "labels" not in arrays:
        raise DataError(f"{path} has {prefix}images but no {prefix}labels.", HINT)
    labels = _integers(arrays[prefix + "labels"], prefix + "labels", path)
    sublabels = None
    if prefix + "sublabels" in arrays:
        sublabels = _integers(arrays[prefix + "sublabels"], prefix + "sublabels", path)
    return Split(images if images.ndim == 4 else images[..., None], labels, sublabels)


def _integers(values: Any, name: str, path: Path) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(f"{name} in {path} is {array.shape} {array.dtype}, expected (N,) integers.", HINT)
    return array.astype(np.int64)


def _names(values: Any) -> tuple[str, ...]:
    if values is None:
        return ()
    return tuple(v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in np.asarray(values).ravel())


def _normalisation(images: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the training split, to four decimals."""
    counts = np.zeros((images.shape[-1], 256))
    for start in range(0, len(images), BLOCK):
        pixels = images[start : start + BLOCK].reshape(-1, images.shape[-1])
        counts += [np.bincount(channel, minlength=256) for channel in pixels.T]
    values = np.arange(256) / 255
    count = max(1, len(images) * images.shape[1] * images.shape[2])
    mean = counts @ values / count
    std = np.sqrt(np.maximum(counts @ values**2 / count - mean**2, 1e-6))
    return tuple(round(float(m), 4) for m in mean), tuple(round(float(s), 4) for s in std)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
