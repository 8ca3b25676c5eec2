"""Writing a cache, a block of rows at a time, from a thread of its own."""

import contextlib
import datetime
import hashlib
import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from icc_cli import __version__
from icc_cli.cache import schema
from icc_cli.files import atomic_path

QUEUED_BLOCKS = 4


@dataclass(frozen=True)
class SiteInfo:
    """A site as the forward pass shows it: its name, kind (`map`, `dense`, `tokens`), neurons and map size."""

    name: str
    kind: str
    neurons: int
    map_size: int


def content_key(**parts: Any) -> str:
    """sha256 of everything that changes the content of an output."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class CacheWriter:
    """The open file. `write` is for one thread; `finish` fills in what is known only at the end."""

    def __init__(self, file: h5py.File, store_dtype: str) -> None:
        self._file = file
        self._dtype = np.dtype(store_dtype)
        self._sites: list[h5py.Dataset] = []

    def labels(
        self, sample_id: NDArray[np.int64], classes: NDArray[np.int64], subclasses: NDArray[np.int64] | None
    ) -> None:
        """Write sample ids and labels (N,), in the cache's row order."""
        self._file[schema.SAMPLE_ID] = sample_id.astype(np.int64)
        self._file[schema.CLASS_LABELS] = classes.astype(np.int32)
        if subclasses is not None:
            self._file[schema.SUBCLASS_LABELS] = subclasses.astype(np.int32)

    def sites(self, sites: Sequence[SiteInfo], count: int) -> None:
        """Create the data set of every site, (count, neurons)."""
        for index, site in enumerate(sites):
            group = self._file.create_group(schema.site_group(index))
            group.attrs[schema.SITE_NAME_ATTR] = site.name
            group.attrs[schema.SITE_KIND_ATTR] = site.kind
            group.attrs[schema.SITE_MAP_SIZE_ATTR] = site.map_size
            self._sites.append(
                group.create_dataset(schema.PREACTIVATIONS, shape=(count, site.neurons), dtype=self._dtype)
            )

    def write(self, start: int, blocks: Sequence[NDArray[np.float32]]) -> None:
        """Write rows start.. of every site."""
        for dataset, block in zip(self._sites, blocks, strict=True):
            dataset[start : start + len(block)] = block

    def finish(self, predictions: NDArray[np.int64], metadata: dict[str, Any], key: str) -> None:
        """Write predictions (N,) and the attributes that make the file a cache."""
        self._file[schema.PREDICTIONS] = predictions.astype(np.int32)
        self._file.attrs[schema.FORMAT_ATTR] = schema.FORMAT
        self._file.attrs[schema.VERSION_ATTR] = schema.VERSION
        self._file.attrs[schema.GENERATED_BY_ATTR] = f"icc {__version__}"
        self._file.attrs[schema.CREATED_ATTR] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._file.attrs[schema.CONTENT_KEY_ATTR] = key
        self._file.attrs[schema.METADATA_ATTR] = json.dumps(metadata)


@contextlib.contextmanager
def new_cache(path: Path, store_dtype: str) -> Iterator[CacheWriter]:
    """Yield the writer of a cache that appears at `path` when the block succeeds."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver=("earliest", "v110")) as file:
        yield CacheWriter(file, store_dtype)


@contextlib.contextmanager
def background(work: Callable[..., None]) -> Iterator[Callable[..., None]]:
    """Yield a function that hands its arguments to `work` in another thread, a few calls ahead at most.

    What `work` raises is raised by the next call, or at the end of the block.
    """
    calls: queue.Queue[tuple[Any, ...] | None] = queue.Queue(QUEUED_BLOCKS)
    errors: list[BaseException] = []

    def run() -> None:
        while (call := calls.get()) is not None:
            if not errors:
                try:
                    work(*call)
                except BaseException as error:
                    errors.append(error)

    def submit(*call: Any) -> None:
        if errors:
            raise errors[0]
        calls.put(call)

    thread = threading.Thread(target=run, name="icc-writer")
    thread.start()
    try:
        yield submit
    finally:
        calls.put(None)
        thread.join()
    if errors:
        raise errors[0]
