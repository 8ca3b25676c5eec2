"""What a measure of the whole network sees: its head, its outputs, and what extraction counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import FormatError
from icc_cli.measures.absent import Absent
from icc_cli.measures.features import Features
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.site import Array, Site, row_blocks
from icc_cli.measures.view import DIVERGED

NO_HEAD = "the logits are not known to come from a linear layer"


@dataclass(frozen=True)
class Head:
    """The last linear layer: its inputs F (N, d), and `weight` (K', d)."""

    inputs: Site
    weight: Array


@dataclass(frozen=True)
class Beside:
    """What is known of a network beside its sites; what is not there is None, `reasons` saying why.

    `logits` (N, K'), `predictions` (N,): class numbers; `metrics`: numbers by name; `identity`: of the weights.
    """

    head: Head | None = None
    logits: Site | None = None
    predictions: NDArray[np.integer] | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    identity: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """The activations of a network: its sites, `labels` and `sublabels` (N,), ordered by class, then subclass, and
    what is known beside them."""

    sites: Sequence[Site]
    labels: NDArray[np.integer]
    sublabels: NDArray[np.integer] | None = None
    beside: Beside = Beside()


@dataclass(frozen=True)
class Network:
    """One network: `labels` (N,), the rows of each class, the neurons of each site, and what is `beside` them."""

    labels: NDArray[np.integer]
    classes: Sequence[ClassGroup]
    widths: Sequence[int]
    beside: Beside
    threads: int = 1

    @cached_property
    def features(self) -> Features:
        """The inputs of the head. Absent when there is none."""
        head = self._head()
        if head.inputs.shape[0] != len(self.labels):
            raise Absent(f"the head has {head.inputs.shape[0]} rows for {len(self.labels)} samples")
        view = Features(head.inputs, self.classes, threads=self.threads)
        _ = view.deviations  # looks at every number, so that no measure meets NaN
        return view

    @property
    def weight(self) -> Array:
        """(K', d) the weight of the head. Absent when there is none."""
        return self._head().weight

    @property
    def predictions(self) -> NDArray[np.integer]:
        """(N,) the predicted classes."""
        if self.beside.predictions is None:
            raise Absent("predictions are not known")
        return self.beside.predictions

    def logits(self) -> Iterator[tuple[Array, NDArray[np.integer]]]:
        """Blocks (b, K') of logits with their labels (b,). Absent when they are not known, FormatError for NaN,
        and for infinity but -inf, which leaves a class out."""
        site = self.beside.logits
        if site is None:
            raise Absent(self.beside.reasons.get("logits", "logits are not known"))
        start = 0
        for block in row_blocks(site, slice(0, len(self.labels))):
            if not np.isfinite(block.max(axis=1)).all():
                raise FormatError("the logits hold NaN or infinity.", DIVERGED)
            yield block, self.labels[start : start + len(block)]
            start += len(block)

    def metric(self, name: str) -> float:
        """What extraction or training counted. Absent when it did not."""
        value = self.beside.metrics.get(name)
        if value is None:
            raise Absent(self.beside.reasons.get(name, f"{name} is not known"))
        return float(value)

    def _head(self) -> Head:
        if self.beside.head is None:
            raise Absent(self.beside.reasons.get("head", NO_HEAD))
        return self.beside.head
