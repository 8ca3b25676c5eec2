"""Where activations go: what every sink is asked, and the sinks that write a cache. Imports no torch."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from icc_cli.cache import CacheWriter, HeadWeights, Rows, SiteInfo, new_cache
from icc_cli.cache.schema import TEST
from icc_cli.files import make_folder, output_errors
from icc_cli.shapes import JsonObject

Blocks = Sequence[NDArray[np.float32]]
COPIED_ROWS = 1024
"""Rows of a cache that are brought into order at a time."""


@dataclass(frozen=True)
class Identity:
    """What a sink says of the numbers it holds: the key of all that they depend on, and plain data about them."""

    content_key: str = ""
    metadata: JsonObject = field(default_factory=dict)


class Sink(Protocol):
    """Takes the sites of one network: `create` once, `write` for each block of rows, `finish` at the end."""

    def create(self, sites: Sequence[SiteInfo], head: HeadWeights | None = None) -> None:
        """The tables whose rows will come: sites, then the head's inputs (when there is a head) and the logits."""
        ...

    def write(self, start: int, blocks: Blocks) -> None:
        """Rows start.. of every site, (rows, neurons) each, in the order in which they are taken."""
        ...

    def finish(self, rows: Rows, predictions: NDArray[np.int64], identity: Identity) -> None:
        """What the rows are, and the predicted classes (N,), in the same order."""
        ...


class OrderedCache:
    """A sink that writes a cache row by row; `rows`, and those of the test split where it is kept too, are known
    beforehand, and come in the cache's order."""

    def __init__(self, writer: CacheWriter, rows: Rows, test: Rows | None = None) -> None:
        self._writer = writer
        self._rows, self._test = rows, test

    def create(self, sites: Sequence[SiteInfo], head: HeadWeights | None = None) -> None:
        self._writer.create(self._rows, sites, head, self._test)

    def write(self, start: int, blocks: Blocks) -> None:
        self._writer.write(start, blocks)

    def write_test(self, start: int, blocks: Blocks) -> None:
        self._writer.write(start, blocks, TEST)

    def finish(self, rows: Rows, predictions: NDArray[np.int64], identity: Identity) -> None:
        self._writer.finish(predictions, identity.metadata, identity.content_key)

    def finish_test(self, predictions: NDArray[np.int64]) -> None:
        self._writer.predicted(predictions, TEST)


class SortedCache:
    """A sink that writes a cache whose rows come in any order: they wait in a temporary file until all are there."""

    def __init__(self, writer: CacheWriter, waiting: IO[bytes]) -> None:
        self._writer = writer
        self._waiting = waiting
        self._sites: list[SiteInfo] = []
        self._head: HeadWeights | None = None

    def create(self, sites: Sequence[SiteInfo], head: HeadWeights | None = None) -> None:
        self._sites, self._head = list(sites), head

    def write(self, start: int, blocks: Blocks) -> None:
        self._waiting.write(np.concatenate(blocks, axis=1, dtype=np.float32).tobytes())

    def finish(self, rows: Rows, predictions: NDArray[np.int64], identity: Identity) -> None:
        order = rows.order()
        sorted_rows = rows.take(order)
        self._waiting.flush()
        widths = [site.neurons for site in self._sites]
        waiting = np.memmap(self._waiting, np.float32, "r", shape=(len(order), sum(widths)))  # type: ignore[call-overload]
        self._writer.create(sorted_rows, self._sites, self._head)
        for start in range(0, len(order), COPIED_ROWS):
            block = waiting[order[start : start + COPIED_ROWS]]
            self._writer.write(start, np.split(block, np.cumsum(widths)[:-1], axis=1))
        self._writer.finish(predictions[order], identity.metadata, identity.content_key)


@contextlib.contextmanager
def ordered_cache(path: Path, store_dtype: str, rows: Rows, test: Rows | None = None) -> Iterator[OrderedCache]:
    """Yield the sink of a cache that appears at `path` when the block succeeds."""
    with new_cache(path, store_dtype) as writer:
        yield OrderedCache(writer, rows, test)


@contextlib.contextmanager
def sorted_cache(path: Path, store_dtype: str) -> Iterator[SortedCache]:
    """Yield the sink of a cache that appears at `path` when the block succeeds; its rows may come in any order."""
    make_folder(path.parent)
    with (
        output_errors(path),
        tempfile.TemporaryFile(dir=path.parent) as waiting,
        new_cache(path, store_dtype) as writer,
    ):
        yield SortedCache(writer, waiting)
