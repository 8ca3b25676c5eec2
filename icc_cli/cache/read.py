"""Reading a cache, every part of it checked before it is believed."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from icc_cli import hdf5
from icc_cli.cache import schema
from icc_cli.cache.stored import HINT, CacheHead, CacheSite, StoredFile, StoredSite, damage
from icc_cli.errors import FormatError
from icc_cli.parts import HINT as PART_HINT
from icc_cli.parts import siblings
from icc_cli.resources import check_memory
from icc_cli.shapes import JsonObject, fits, one_of, parsed, require, shown


@dataclass(frozen=True)
class Cache:
    """An open cache: labels and ids in memory, sites, the head's inputs and logits read on demand."""

    path: Path
    content_key: str
    metadata: JsonObject
    sample_id: NDArray[np.int64]
    labels: NDArray[np.int32]
    sublabels: NDArray[np.int32] | None
    predictions: NDArray[np.int32]
    sites: tuple[StoredSite, ...]
    attributes: JsonObject
    head: CacheHead | None = None
    logits: StoredSite | None = None
    test_samples: int | None = None
    """Samples of the test split, where the cache holds it too."""

    @property
    def version(self) -> int:
        version: int = self.attributes[schema.VERSION_ATTR]
        return version


@contextlib.contextmanager
def open_cache(path: Path, split: Literal["train", "test"] = "train") -> Iterator[Cache]:
    """Open the cache at `path`: what it holds of the training split, or of the test split.

    Any file of a cache whose rows lie in several stands for all of them. FormatError when it is damaged, incomplete,
    of an unknown version, or lacks the split.
    """
    from icc_cli.cache.joined import joined

    with contextlib.ExitStack() as stack:
        cache = stack.enter_context(_one_file(path, split))
        if "rows" in cache.metadata:
            files = siblings(path)
            if missing := [part.name for part in files if not part.exists()]:
                raise FormatError(f"{path} is one of {len(files)} parts, and {missing[0]} is not there.", PART_HINT)
            parts = [stack.enter_context(_one_file(part, split)) for part in files]
            cache = joined(parts, split)
        yield cache


@contextlib.contextmanager
def _one_file(path: Path, split: Literal["train", "test"] = "train") -> Iterator[Cache]:
    try:
        cache, file = hdf5.read(_structure, path, "" if split == "train" else schema.TEST)
    except hdf5.Endless as error:
        raise FormatError(f"{path} is not a readable cache: HDF5 crashes or hangs on it.", HINT) from error
    with file.open():
        yield cache


def _structure(path: Path, split: str) -> tuple[Cache, StoredFile]:
    """The cache at `path`, but for its large arrays, and the file that they are in."""
    with damage(path), h5py.File(path, "r") as stored:
        file = StoredFile(path)
        return _read(stored, file, split), file


def stored_content_key(path: Path) -> str | None:
    """The content key of the cache at `path`, or of which it is a part; None when there is none that can be read."""
    try:
        with _one_file(path) as cache:
            return cache.content_key
    except (FormatError, FileNotFoundError, NotADirectoryError):
        return None


def stored_weights(path: Path) -> str | None:
    """The weights_sha256 of the checkpoint whose cache is at `path`, or None when there is none that can be read."""
    try:
        with _one_file(path) as cache:
            return cache.metadata.get("weights_sha256") or None
    except (FormatError, FileNotFoundError, NotADirectoryError):
        return None


def _read(file: h5py.File, held: StoredFile, split: str) -> Cache:
    path = held.path
    attributes = _attributes(file, schema.ATTRIBUTE_NAMES)
    if not fits(one_of(schema.FORMAT), attributes.get(schema.FORMAT_ATTR)):
        raise FormatError(f"{path} is HDF5, but not a cache that `icc extract` wrote.", "Name a cache.")
    if not fits(one_of(*schema.READABLE), attributes.get(schema.VERSION_ATTR)):
        raise FormatError(
            f"{path} has cache version {shown(attributes.get(schema.VERSION_ATTR))}, "
            f"and this icc reads versions {' and '.join(map(str, schema.READABLE))}.",
            "Update icc, or extract the cache again with this one.",
        )
    require(schema.ATTRIBUTES, attributes, path, HINT)
    metadata = parsed(attributes[schema.METADATA_ATTR], f"{path}: metadata", HINT)
    require(schema.METADATA, metadata, f"{path}: metadata", HINT)
    if "rows" in metadata:
        require(schema.PART, metadata, f"{path}: metadata", HINT)
    tests = len(_vector(file, schema.inside(schema.TEST, schema.CLASS_LABELS), path)) if schema.TEST in file else None
    if split and tests is None:
        raise FormatError(f"{path} holds no test split.", "Extract it again with `icc extract --with-test`.")

    def vector(name: str, count: int | None = None) -> NDArray[Any]:
        return _vector(file, schema.inside(split, name), path, count)

    labels = vector(schema.CLASS_LABELS)
    count = len(labels)
    finer = schema.inside(split, schema.SUBCLASS_LABELS) in file
    sublabels = vector(schema.SUBCLASS_LABELS, count) if finer else None
    numbers = sorted(file[schema.inside(split, schema.SITES)], key=int)
    sites = tuple(_site(file, schema.inside(split, f"{schema.SITES}/{number}"), count, held) for number in numbers)
    if not sites:
        raise FormatError(f"{path} has no site.", HINT)
    return Cache(
        path,
        attributes[schema.CONTENT_KEY_ATTR],
        metadata,
        vector(schema.SAMPLE_ID, count),
        labels,
        sublabels,
        vector(schema.PREDICTIONS, count),
        sites,
        attributes,
        _head(file, split, count, held) if schema.HEAD in file else None,
        _table(file, split, schema.LOGITS, count, held) if schema.LOGITS in file else None,
        tests,
    )


def _attributes(item: h5py.Group, names: Sequence[str]) -> JsonObject:
    """The attributes of these names that a group has; those that are numbers of HDF5 as plain ones."""
    found: JsonObject = {}
    for name in names:
        with contextlib.suppress(KeyError):
            value = item.attrs[name]
            found[name] = value.item() if isinstance(value, np.number | np.bool_) else value
    return found


def _head(file: h5py.File, split: str, count: int, held: StoredFile) -> CacheHead:
    path = held.path
    inputs = _table(file, split, schema.HEAD_INPUTS, count, held)
    weight, bias = (_dataset(file, name, path) for name in (schema.HEAD_WEIGHT, schema.HEAD_BIAS))
    if weight.ndim != 2 or weight.shape[1] != inputs.shape[1] or bias.shape != weight.shape[:1]:
        raise FormatError(
            f"{path} has a head of weight {weight.shape} and bias {bias.shape}, expected (K, {inputs.shape[1]}) and "
            "(K,).",
            HINT,
        )
    return CacheHead(
        inputs,
        _held(weight, schema.HEAD_WEIGHT, path).astype(np.float32),
        _held(bias, schema.HEAD_BIAS, path).astype(np.float32),
    )


def _table(file: h5py.File, split: str, name: str, count: int, held: StoredFile) -> CacheSite:
    """The head's inputs, or the logits: (N, n) numbers, of the kind that their name says."""
    kind = name.split("/")[0]
    return CacheSite(kind, kind, 1, *_numbers(file, schema.inside(split, name), count, held))


def _numbers(
    file: h5py.File, name: str, count: int, held: StoredFile
) -> tuple[tuple[int, int], "np.dtype[np.floating]", StoredFile, int]:
    """The shape (count, n), type, file and place of a large array of numbers."""
    dataset = _dataset(file, name, held.path)
    if dataset.ndim != 2 or dataset.shape[0] != count or dataset.shape[1] < 1 or dataset.dtype.kind != "f":
        raise FormatError(
            f"{held.path} has /{name} of shape {dataset.shape} and type {dataset.dtype}, expected ({count}, n) floats.",
            HINT,
        )
    offset = dataset.id.get_offset()
    if offset is None:
        raise FormatError(f"{held.path} has a /{name} that is not a plain array in this file.", HINT)
    return dataset.shape, dataset.dtype, held, offset


def _vector(file: h5py.File, name: str, path: Path, count: int | None = None) -> NDArray[Any]:
    dataset = _dataset(file, name, path)
    if dataset.ndim != 1 or dataset.dtype.kind not in "iu" or (count is not None and len(dataset) != count):
        raise FormatError(
            f"{path} has /{name} of shape {dataset.shape} and type {dataset.dtype}, expected ({count or 'N'},) "
            "integers.",
            HINT,
        )
    return _held(dataset, name, path)


def _held(dataset: h5py.Dataset, name: str, path: Path) -> NDArray[Any]:
    """All of a data set, where memory holds it."""
    check_memory(dataset.nbytes, f"{path}: /{name}", FormatError, "Is the file damaged?")
    return np.asarray(dataset[()])


def _site(file: h5py.File, group: str, count: int, held: StoredFile) -> CacheSite:
    numbers = _numbers(file, f"{group}/{schema.PREACTIVATIONS}", count, held)
    attributes = _attributes(file[group], schema.SITE_ATTRIBUTE_NAMES)
    require(schema.SITE_ATTRIBUTES, attributes, f"{held.path}: /{group}", HINT)
    name, kind, size = (attributes[one] for one in schema.SITE_ATTRIBUTE_NAMES)
    return CacheSite(name, kind, size, *numbers)


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """A data set that lies in this very file, all of it written."""
    parts = name.split("/")
    for depth in range(len(parts)):
        above = "/".join(parts[: depth + 1])
        if not _is_here(file, above):
            raise FormatError(f"{path} lacks /{above}, or links to another file there.", HINT)
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external or dataset.chunks is not None:
        raise FormatError(f"{path} has a /{name} that is not a plain array in this file.", HINT)
    if dataset.id.get_storage_size() != dataset.size * dataset.dtype.itemsize:
        raise FormatError(f"{path} is incomplete: /{name} was not written.", HINT)
    return dataset


def _is_here(file: h5py.File, name: str) -> bool:
    """Whether there is a hard link of this name; the groups above it are known to be here."""
    try:
        return bool(file.id.links.get_info(name.encode()).type == h5py.h5l.TYPE_HARD)
    except (KeyError, RuntimeError):  # h5py has raised either
        return False
