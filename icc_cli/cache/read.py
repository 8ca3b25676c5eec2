"""Reading a cache, every part of it checked before it is believed."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from icc_cli import hdf5
from icc_cli.cache import schema
from icc_cli.errors import FormatError
from icc_cli.parts import HINT as PART_HINT
from icc_cli.parts import siblings
from icc_cli.resources import check_memory
from icc_cli.shapes import JsonObject, fits, one_of, parsed, require, shown
from icc_cli.stages import CACHE, next_step

HINT = "Extract it again with `icc extract --force`."


@dataclass(frozen=True)
class CacheSite:
    """One site of an open cache; a `Site` for the measures."""

    name: str
    kind: str
    map_size: int
    dataset: h5py.Dataset
    file: Path

    @property
    def dtype(self) -> "np.dtype[np.floating]":
        dtype: np.dtype[np.floating] = self.dataset.dtype
        return dtype

    @property
    def shape(self) -> tuple[int, int]:
        rows, neurons = self.dataset.shape
        return int(rows), int(neurons)

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        """Rows start..stop, (stop - start, n); FormatError when the file is damaged there."""
        with _damage(self.file):
            return np.asarray(self.dataset[start:stop])


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
    group = "" if split == "train" else schema.TEST
    if not hdf5.ends(path, f"cache {split}", lambda file: _read(file, path, group)):
        raise FormatError(f"{path} is not a readable cache: HDF5 crashes or hangs on it.", HINT)
    with contextlib.ExitStack() as stack:
        with _damage(path):
            file = stack.enter_context(h5py.File(path, "r"))
            cache = _read(file, path, group)
        yield cache


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


def _read(file: h5py.File, path: Path, split: str) -> Cache:
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
    sites = tuple(_site(file, schema.inside(split, f"{schema.SITES}/{number}"), count, path) for number in numbers)
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
        _head(file, split, count, path) if schema.HEAD in file else None,
        _table(file, split, schema.LOGITS, count, path) if schema.LOGITS in file else None,
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


def _head(file: h5py.File, split: str, count: int, path: Path) -> CacheHead:
    inputs = _table(file, split, schema.HEAD_INPUTS, count, path)
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


def _table(file: h5py.File, split: str, name: str, count: int, path: Path) -> CacheSite:
    """The head's inputs, or the logits: (N, n) numbers, of the kind that their name says."""
    place = schema.inside(split, name)
    dataset = _dataset(file, place, path)
    if dataset.ndim != 2 or dataset.shape[0] != count or dataset.shape[1] < 1 or dataset.dtype.kind != "f":
        raise FormatError(
            f"{path} has /{place} of shape {dataset.shape} and type {dataset.dtype}, expected ({count}, n) floats.",
            HINT,
        )
    kind = name.split("/")[0]
    return CacheSite(kind, kind, 1, dataset, path)


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


def _site(file: h5py.File, group: str, count: int, path: Path) -> CacheSite:
    dataset = _dataset(file, f"{group}/{schema.PREACTIVATIONS}", path)
    if dataset.ndim != 2 or dataset.shape[0] != count or dataset.shape[1] < 1 or dataset.dtype.kind != "f":
        raise FormatError(
            f"{path} has /{group} of shape {dataset.shape} and type {dataset.dtype}, expected ({count}, n) floats.",
            HINT,
        )
    attributes = _attributes(dataset.parent, schema.SITE_ATTRIBUTE_NAMES)
    require(schema.SITE_ATTRIBUTES, attributes, f"{path}: /{group}", HINT)
    return CacheSite(
        attributes[schema.SITE_NAME_ATTR],
        attributes[schema.SITE_KIND_ATTR],
        attributes[schema.SITE_MAP_SIZE_ATTR],
        dataset,
        path,
    )


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """A data set that lies in this very file, all of it written."""
    group: h5py.Group = file
    parts = name.split("/")
    for depth, part in enumerate(parts):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise FormatError(f"{path} lacks /{'/'.join(parts[: depth + 1])}, or links to another file there.", HINT)
        group = group[part]
    dataset = group
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual or dataset.external or dataset.chunks is not None:
        raise FormatError(f"{path} has a /{name} that is not a plain array in this file.", HINT)
    if dataset.id.get_storage_size() != dataset.size * dataset.dtype.itemsize:
        raise FormatError(f"{path} is incomplete: /{name} was not written.", HINT)
    return dataset


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
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
