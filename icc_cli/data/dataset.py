"""What every data set becomes once it is read."""

import functools
import hashlib
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from icc_cli.data.inputs import Inputs
from icc_cli.errors import DataError

DIGEST_ROWS = 4096
MOST_LABELS = 2**24
"""Tables are kept that have a place for each label up to the largest."""


class Images(Protocol):
    """What is asked of a split's images: an (N, H, W, C) uint8 array, or something that reads rows on demand."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Split:
    """One split: `samples`, `labels` (N,) int64, `sublabels` (N,) int64 or None.

    The samples are images (N, H, W, C) uint8, which are scaled and normalised, or inputs of any shape, which the
    network is given as they are.
    """

    samples: Images | Inputs
    labels: NDArray[np.int64]
    sublabels: NDArray[np.int64] | None = None

    @property
    def inputs(self) -> Inputs | None:
        """The samples when they are inputs to be taken as they are, None when they are images."""
        return self.samples if isinstance(self.samples, Inputs) else None

    @property
    def images(self) -> Images:
        """The samples as images; DataError when they are none."""
        if isinstance(self.samples, Inputs):
            raise DataError("the data set holds inputs of its own, and this needs images (N, H, W, C) uint8.")
        return self.samples

    def __len__(self) -> int:
        return len(self.labels)

    def order(self) -> NDArray[np.int64]:
        """Rows by class, then subclass, then row number: the order of a cache."""
        keys = [self.labels] if self.sublabels is None else [self.sublabels, self.labels]
        return np.lexsort(keys).astype(np.int64)

    def take(self, rows: NDArray[np.int64]) -> "Split":
        """The split of the given rows, in that order."""
        sublabels = None if self.sublabels is None else self.sublabels[rows]
        select = getattr(self.samples, "select", None) or self.images.__getitem__
        return Split(select(rows), self.labels[rows], sublabels)

    def first_per_class(self, count: int) -> "Split":
        """The first `count` samples of each finest label, in their order."""
        labels = [self.labels] if self.sublabels is None else [self.labels, self.sublabels]
        _, finest = np.unique(np.stack(labels, axis=1), axis=0, return_inverse=True)
        rank = np.empty(len(finest), np.int64)
        for value in range(int(finest.max()) + 1):
            rows = np.flatnonzero(finest.ravel() == value)
            rank[rows] = np.arange(len(rows))
        return self.take(np.flatnonzero(rank < count))


@dataclass(frozen=True)
class Dataset:
    """A training split, a test split when the data has one, and what the numbers stand for."""

    spec: str
    train: Split
    test: Split | None
    label_names: tuple[str, ...] = ()
    sublabel_names: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    """Customary normalisation of this data set, per channel, on pixels scaled to 0..1."""
    std: tuple[float, ...] | None = None
    described: dict[str, object] = field(default_factory=dict)
    """What a checkpoint or a cache keeps of the data: enough to load it again (plain data)."""

    def __post_init__(self) -> None:
        for name, split in (("training", self.train), ("test", self.test)):
            if split is not None:
                _check(split, name, self.spec)

    @property
    def num_classes(self) -> int:
        return int(self.train.labels.max()) + 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image; DataError when the samples are no images."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels

    @functools.cached_property
    def digest(self) -> str:
        """sha256 over the training split's samples (of image files: their names and bytes) and labels."""
        digest = hashlib.sha256()
        if self.train.inputs is None:
            digest.update(repr(tuple(self.train.images.shape)).encode())
        if fingerprint := getattr(self.train.samples, "fingerprint", None):
            digest.update(fingerprint())
        else:
            for start in range(0, len(self.train), DIGEST_ROWS):
                digest.update(np.ascontiguousarray(self.train.images[start : start + DIGEST_ROWS]).tobytes())
        digest.update(np.ascontiguousarray(self.train.labels, dtype="<i8").tobytes())
        if self.train.sublabels is not None:
            digest.update(np.ascontiguousarray(self.train.sublabels, dtype="<i8").tobytes())
        return digest.hexdigest()

    def first_per_class(self, train: int | None, test: int | None = None) -> "Dataset":
        """Keep the first so many samples of each finest label of the training and of the test split; None keeps all."""
        described = {**self.described, **({} if train is None else {"per_class": train})}
        described |= {} if test is None else {"test_per_class": test}
        return replace(
            self,
            train=self.train if train is None else self.train.first_per_class(train),
            test=self.test if test is None or self.test is None else self.test.first_per_class(test),
            described=described,
        )


def _check(split: Split, name: str, spec: str) -> None:
    if len(split) == 0:
        raise DataError(f"the {name} split of {spec} is empty.")
    if len(split.samples) != len(split):
        kind = "images" if split.inputs is None else "samples"
        raise DataError(f"the {name} split of {spec} has {len(split.samples)} {kind} and {len(split)} labels.")
    if split.sublabels is not None and len(split.sublabels) != len(split):
        raise DataError(f"the {name} split of {spec} has {len(split.sublabels)} sublabels and {len(split)} labels.")
    if split.labels.min() < 0 or (split.sublabels is not None and split.sublabels.min() < 0):
        raise DataError(f"the {name} split of {spec} has negative labels.", "Labels count from 0.")
    largest = max(int(labels.max()) for labels in (split.labels, split.sublabels) if labels is not None)
    if largest >= MOST_LABELS:
        raise DataError(f"the {name} split of {spec} has the label {largest}.", "Labels count from 0.")
