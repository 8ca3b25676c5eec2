"""Writing a cache, a block of rows at a time, from a thread of its own."""

import contextlib
import datetime
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from icc_cli import __version__
from icc_cli.cache import schema
from icc_cli.cache.rows import Rows
from icc_cli.files import atomic_path
from icc_cli.shapes import JsonObject

QUEUED_BLOCKS = 4
LAYOUT_ROOM = 8192
"""Bytes that HDF5 needs at the most for the description of one array, or for the file's attributes."""


@dataclass(frozen=True)
class SiteInfo:
    """A site as the forward pass shows it: its name, kind (`map`, `dense`, `tokens`), neurons and map size.

    The inputs of the head and the logits go along, of the kinds `head` and `logits`.
    """

    name: str
    kind: str
    neurons: int
    map_size: int

    @property
    def is_site(self) -> bool:
        return self.kind not in (schema.HEAD, schema.LOGITS)


@dataclass(frozen=True)
class HeadWeights:
    """The last linear layer: `weight` (K', d) and `bias` (K',)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def content_key(**parts: Any) -> str:
    """sha256 of everything that changes the content of an output."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class CacheWriter:
    """Writes one cache: `create`, then `write` for every block of rows (from one thread), then `finish`.

    HDF5 lays the file out, and the arrays are written at their places in it by plain system calls: HDF5's own
    writing does not survive a full disk.
    """

    def __init__(self, path: Path, store_dtype: str) -> None:
        self._path = path
        self._dtype = np.dtype(store_dtype)
        self._offsets: dict[str, int] = {}
        self._tables: dict[str, list[tuple[str, int, np.dtype[Any]]]] = {}

    def create(
        self, rows: Rows, sites: Sequence[SiteInfo], head: HeadWeights | None = None, test: Rows | None = None
    ) -> None:
        """Lay out the file, and write ids and labels of `rows`, in the cache's row order; and of `test`, where the
        test split is kept too."""
        splits = {"": rows, **({} if test is None else {schema.TEST: test})}
        vectors: dict[str, NDArray[Any]] = {}
        for split, held in splits.items():
            vectors[schema.inside(split, schema.SAMPLE_ID)] = held.sample_id.astype(np.int64)
            vectors[schema.inside(split, schema.CLASS_LABELS)] = held.labels.astype(np.int32)
            if held.sublabels is not None:
                vectors[schema.inside(split, schema.SUBCLASS_LABELS)] = held.sublabels.astype(np.int32)
        if head is not None:
            vectors[schema.HEAD_WEIGHT] = head.weight.astype(np.float32)
            vectors[schema.HEAD_BIAS] = head.bias.astype(np.float32)
        self._claim(LAYOUT_ROOM * (len(sites) * len(splits) + len(vectors) + 1), 0)
        with h5py.File(self._path, "w", libver=("earliest", "v110")) as file:
            for name, vector in vectors.items():
                self._allocate(file, name, vector.shape, vector.dtype)
            for split, held in splits.items():
                count = len(held.sample_id)
                self._allocate(file, schema.inside(split, schema.PREDICTIONS), (count,), np.dtype(np.int32))
                self._tables[split] = [self._table(file, split, index, site, count) for index, site in enumerate(sites)]
        with self._open() as descriptor:
            for name, vector in vectors.items():
                _pwrite(descriptor, vector, self._offsets[name])

    def _table(
        self, file: h5py.File, split: str, index: int, site: SiteInfo, count: int
    ) -> tuple[str, int, np.dtype[Any]]:
        """Lay out the array of a site, the head's inputs or the logits: its name, bytes of a row, and type."""
        if site.is_site:
            group, dtype = schema.inside(split, schema.site_group(index)), self._dtype
            name = f"{group}/{schema.PREACTIVATIONS}"
        else:
            dtype = np.dtype(np.float32)
            name = schema.inside(split, schema.HEAD_INPUTS if site.kind == schema.HEAD else schema.LOGITS)
        self._allocate(file, name, (count, site.neurons), dtype)
        if site.is_site:
            attributes = file[group].attrs
            attributes[schema.SITE_NAME_ATTR] = site.name
            attributes[schema.SITE_KIND_ATTR] = site.kind
            attributes[schema.SITE_MAP_SIZE_ATTR] = site.map_size
        return name, site.neurons * dtype.itemsize, dtype

    def write(self, start: int, blocks: Sequence[NDArray[np.float32]], split: str = "") -> None:
        """Write rows start.. of every site of a split, (rows, neurons) each."""
        with self._open() as descriptor:
            for (name, row_bytes, dtype), block in zip(self._tables[split], blocks, strict=True):
                _pwrite(descriptor, block.astype(dtype, copy=False), self._offsets[name] + start * row_bytes)

    def predicted(self, classes: NDArray[np.int64], split: str = "") -> None:
        """Write the predicted classes of a split, (N,)."""
        with self._open() as descriptor:
            _pwrite(descriptor, classes.astype(np.int32), self._offsets[schema.inside(split, schema.PREDICTIONS)])

    def finish(self, predictions: NDArray[np.int64], metadata: JsonObject, key: str) -> None:
        """Write predictions (N,) and the attributes that make the file a cache."""
        self.predicted(predictions)
        attributes: JsonObject = {
            schema.FORMAT_ATTR: schema.FORMAT,
            schema.VERSION_ATTR: schema.VERSION,
            schema.GENERATED_BY_ATTR: f"icc {__version__}",
            schema.CREATED_ATTR: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            schema.CONTENT_KEY_ATTR: key,
            schema.METADATA_ATTR: json.dumps(metadata),
        }
        self._claim(LAYOUT_ROOM + 2 * len(attributes[schema.METADATA_ATTR]), self._path.stat().st_size)
        with h5py.File(self._path, "r+") as file:
            file.attrs.update(attributes)

    def _claim(self, size: int, offset: int) -> None:
        """Take the space that HDF5 is about to use, so that the lack of it is a plain OSError here."""
        with self._open() as descriptor:
            _pwrite(descriptor, np.zeros(size, np.uint8), offset)

    def _allocate(self, file: h5py.File, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Reserve a contiguous array, not filled, and remember where in the file it lies."""
        group = file.require_group(name.rpartition("/")[0] or "/")
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        dataset = h5py.h5d.create(
            group.id,
            name.rpartition("/")[2].encode(),
            h5py.h5t.py_create(dtype),
            h5py.h5s.create_simple(shape),
            dcpl=layout,
        )
        self._offsets[name] = dataset.get_offset()

    @contextlib.contextmanager
    def _open(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _pwrite(descriptor: int, array: NDArray[Any], offset: int) -> None:
    """Write all of `array` at `offset`."""
    rest = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


@contextlib.contextmanager
def new_cache(path: Path, store_dtype: str) -> Iterator[CacheWriter]:
    """Yield the writer of a cache that appears at `path` when the block succeeds."""
    with atomic_path(path) as temporary:
        yield CacheWriter(temporary, store_dtype)


@contextlib.contextmanager
def background(work: Callable[..., None]) -> Iterator[Callable[..., None]]:
    """Yield a function that hands its arguments to `work` in another thread, a few calls ahead at most.

    What `work` raises is raised by a later call, or at the end of the block.
    """
    waiting: deque[Future[None]] = deque()

    def submit(*call: Any) -> None:
        if len(waiting) > QUEUED_BLOCKS:
            waiting.popleft().result()
        waiting.append(writer.submit(work, *call))

    with ThreadPoolExecutor(1, "icc-writer") as writer:
        yield submit
        for future in waiting:
            future.result()
