"""Activations in memory: what an open cache is, without a file. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icc_cli.cache import HeadWeights, Rows, SiteInfo
from icc_cli.cache.schema import HEAD, LOGITS
from icc_cli.errors import UsageError
from icc_cli.extraction.sinks import Blocks, Identity
from icc_cli.resources import check_memory
from icc_cli.shapes import JsonObject


@dataclass(frozen=True)
class HeldSite:
    """One site in memory: `values` (N, n); a `Site` for the measures."""

    name: str
    kind: str
    map_size: int
    values: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        rows, neurons = self.values.shape
        return rows, neurons

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.values[start:stop]


@dataclass(frozen=True)
class HeldHead:
    """The last linear layer in memory: its `inputs` (N, d), `weight` (K', d) and `bias` (K',)."""

    inputs: HeldSite
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Activations:
    """What one network computes on its data, in memory: what an open cache is, without a file.

    Rows are ordered by class, then subclass, then sample. `sample_id`, `labels`, `sublabels` and `predictions` (N,).
    """

    sites: tuple[HeldSite, ...]
    sample_id: NDArray[np.int64]
    labels: NDArray[np.int64]
    sublabels: NDArray[np.int64] | None
    predictions: NDArray[np.int64]
    content_key: str = ""
    metadata: JsonObject = field(default_factory=dict)
    head: HeldHead | None = None
    logits: HeldSite | None = None

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Pre-activations (N, n) of the site called `name`."""
        for site in self.sites:
            if site.name == name:
                return site.values
        raise KeyError(name)

    def __repr__(self) -> str:
        neurons = sum(site.shape[1] for site in self.sites)
        return f"<Activations: {len(self.sites)} sites, {neurons} neurons, {len(self.labels)} samples>"


class Memory:
    """A sink that gives `Activations`; the rows may come in any order. There are `samples`, where that is known."""

    def __init__(self, samples: int = 0) -> None:
        self._samples = samples
        self._sites: list[SiteInfo] = []
        self._blocks: list[list[NDArray[np.float32]]] = []
        self._head: HeadWeights | None = None
        self._finished: Activations | None = None

    @property
    def activations(self) -> Activations:
        """What was taken, once `finish` was called."""
        assert self._finished is not None
        return self._finished

    def create(self, sites: Sequence[SiteInfo], head: HeadWeights | None = None) -> None:
        needed = (
            4 * self._samples * (sum(site.neurons for site in sites) + max((site.neurons for site in sites), default=0))
        )
        check_memory(needed, "holding the activations", UsageError, "Write them to a cache with `icc extract`.")
        self._sites, self._head = list(sites), head
        self._blocks = [[] for _ in sites]

    def write(self, start: int, blocks: Blocks) -> None:
        for kept, block in zip(self._blocks, blocks, strict=True):
            kept.append(block)

    def finish(self, rows: Rows, predictions: NDArray[np.int64], identity: Identity) -> None:
        order = rows.order()
        sorted_rows = rows.take(order)
        sites = []
        for index, site in enumerate(self._sites):
            values = np.concatenate(self._blocks[index])[order]
            self._blocks[index] = []
            sites.append(HeldSite(site.name, site.kind, site.map_size, values))
        beside = {site.kind: site for site in sites if site.kind in (HEAD, LOGITS)}
        head = None if self._head is None else HeldHead(beside[HEAD], self._head.weight, self._head.bias)
        self._finished = Activations(
            tuple(site for site in sites if site.kind not in beside),
            sorted_rows.sample_id,
            sorted_rows.labels,
            sorted_rows.sublabels,
            predictions[order],
            identity.content_key,
            identity.metadata,
            head,
            beside.get(LOGITS),
        )
