"""The labelled inputs that a network's accuracy is over."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icc_cli.data import Split
from icc_cli.extraction.arguments import contiguous
from icc_cli.extraction.ordered import SplitSamples
from icc_cli.subject import Normalisation


@dataclass(frozen=True)
class Samples:
    """`values` (N, H, W, C) uint8 with the `mean` and `std` (C, 1, 1) of pixels scaled to 0..1, or `values` (N, ...)
    as the network takes them, without; `labels` (N,) int64. All are on one device.
    """

    values: Tensor
    labels: Tensor
    mean: Tensor | None = None
    std: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, rows: Tensor) -> Tensor:
        """What the network is given for `rows` (B,): images as normalised (B, C, H, W) float32."""
        values = self.values[rows]
        if self.mean is None or self.std is None:
            return values
        return contiguous((values.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std)


def of_split(split: Split, normalisation: Normalisation, device: torch.device, rows: NDArray[np.int64]) -> Samples:
    """`rows` of `split`: its images, or its inputs as they are. DataError when there are several inputs a sample."""
    labels = torch.from_numpy(split.labels[rows].astype(np.int64)).to(device)
    if split.inputs is not None:
        given = SplitSamples(split).inputs(rows, device)
        return Samples(given.single(), labels)
    mean, std = (torch.tensor(v, device=device).view(-1, 1, 1) for v in (normalisation.mean, normalisation.std))
    images = torch.from_numpy(np.ascontiguousarray(split.images[rows])).to(device)
    return Samples(images, labels, mean, std)


def chosen(count: int, at_most: int | None, seed: int) -> NDArray[np.int64]:
    """Rows of `count` samples: all, or `at_most` of them at random, the same for every network of a seed."""
    if at_most is None or at_most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, at_most, replace=False))
