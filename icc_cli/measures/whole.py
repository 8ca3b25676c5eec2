"""What a measure of the whole network sees: its head, its outputs, and what extraction counted."""

from collections.abc import Mapping, Sequence
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
class Answers:
    """What a network answers to each sample, (N,) each: by how much its class' logit is above all others (`margins`),
    the largest softmax (`confidences`), whether that is the class' (`right`), and -log softmax of the class (`losses`).
    """

    margins: Array
    confidences: Array
    right: NDArray[np.bool_]
    losses: Array


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

    @property
    def logits(self) -> Site:
        """(N, K') the outputs. Absent when they are not known."""
        if self.beside.logits is None:
            raise Absent(self.beside.reasons.get("logits", "logits are not known"))
        return self.beside.logits

    @cached_property
    def answers(self) -> Answers:
        """What the logits say. Absent when they are not known, FormatError for NaN, and for infinity but -inf, which
        leaves a class out."""
        found, start = [], 0
        for block in row_blocks(self.logits, slice(0, len(self.labels))):
            largest = block.max(axis=1)
            if not np.isfinite(largest).all():
                raise FormatError("the logits hold NaN or infinity.", DIVERGED)
            each, labels = np.arange(len(block)), self.labels[start : start + len(block)]
            right, own = block.argmax(axis=1) == labels, block[each, labels]
            block[each, labels] = -np.inf
            margins = own - block.max(axis=1)
            block[each, labels] = own
            block -= largest[:, None]
            sums = np.exp(block, out=block).sum(axis=1)
            found.append((margins, 1 / sums, right, np.log(sums) - (own - largest)))
            start += len(block)
        return Answers(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

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
