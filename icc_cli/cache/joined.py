"""The parts of one cache, read as the cache that they would be in one file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icc_cli.cache.read import Cache
from icc_cli.cache.stored import CacheHead, StoredSite
from icc_cli.errors import FormatError
from icc_cli.parts import HINT
from icc_cli.shapes import JsonObject


@dataclass(frozen=True)
class JoinedSite:
    """A site whose rows lie in several files, one after the other; a `Site` for the measures."""

    parts: tuple[StoredSite, ...]

    @property
    def name(self) -> str:
        return self.parts[0].name

    @property
    def kind(self) -> str:
        return self.parts[0].kind

    @property
    def map_size(self) -> int:
        return self.parts[0].map_size

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.parts[0].dtype

    @property
    def shape(self) -> tuple[int, int]:
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        """Rows start..stop, (stop - start, n)."""
        blocks = []
        for part in self.parts:
            count = part.shape[0]
            if start < count and stop > 0:
                blocks.append(part.rows(max(start, 0), min(stop, count)))
            start, stop = start - count, stop - count
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def joined(parts: Sequence[Cache], split: str) -> Cache:
    """The cache that `parts` of a split are, in the order of their rows. FormatError when they are not of one."""
    first, start = parts[0], 0
    for number, part in enumerate(parts, 1):
        said, stop = part.metadata.get("rows", {}), start + len(part.labels)
        if part.content_key != first.content_key or _layout(part) != _layout(first):
            raise FormatError(f"{part.path} and {first.path} are not parts of one cache.", HINT)
        if (said.get("part"), said.get("of"), said.get(split)) != (number, len(parts), [start, stop]):
            raise FormatError(f"{part.path} does not hold part {number} of {len(parts)} of the rows.", HINT)
        start = stop
    heads = [part.head for part in parts if part.head is not None]
    return replace(
        first,
        metadata=_metadata(parts),
        sample_id=np.concatenate([part.sample_id for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        sublabels=_together([part.sublabels for part in parts]),
        predictions=np.concatenate([part.predictions for part in parts]),
        sites=tuple(JoinedSite(of_site) for of_site in zip(*(part.sites for part in parts), strict=True)),
        head=replace(heads[0], inputs=JoinedSite(tuple(head.inputs for head in heads))) if heads else None,
        logits=JoinedSite(tuple(part.logits for part in parts if part.logits)) if first.logits else None,
        test_samples=None if first.test_samples is None else sum(part.test_samples or 0 for part in parts),
    )


def _layout(cache: Cache) -> tuple[object, ...]:
    """What is the same in all parts: the sites, the head, which arrays there are, and what was measured."""
    sites = tuple((site.name, site.kind, site.map_size, site.shape[1], site.dtype) for site in cache.sites)
    arrays = cache.logits and cache.logits.shape[1], cache.sublabels is None
    return sites, _bytes(cache.head), *arrays, *sorted(cache.metadata.get("measured") or ())


def _bytes(head: CacheHead | None) -> bytes | None:
    return None if head is None else head.weight.tobytes() + head.bias.tobytes()


def _together(vectors: Sequence[NDArray[np.int32] | None]) -> NDArray[np.int32] | None:
    found = [vector for vector in vectors if vector is not None]
    return np.concatenate(found) if found else None


def _metadata(parts: Sequence[Cache]) -> JsonObject:
    """The first part's, with what was measured on each part's samples put together, weighted by their number."""
    first = {name: value for name, value in parts[0].metadata.items() if name != "rows"}
    measured, metrics = {}, dict(first["metrics"])
    for name, value in first["measured"].items():
        spans = [part.metadata["rows"]["test" if name.startswith("test_") else "train"] for part in parts]
        sizes = [stop - start for start, stop in spans]
        values = [part.metadata["measured"][name] for part in parts]
        measured[name] = sum(size * one for size, one in zip(sizes, values, strict=True)) / sum(sizes)
        if metrics.get(name) == value:  # and not what the checkpoint itself says
            metrics[name] = measured[name]
    warnings = list(dict.fromkeys(text for part in parts for text in part.metadata["warnings"]))
    return {**first, "measured": measured, "metrics": metrics, "warnings": warnings}
