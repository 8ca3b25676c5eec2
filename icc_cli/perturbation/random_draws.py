"""Accuracy under random perturbations: w + m (abs(w) + 1e-3) z, z standard normal."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from icc_cli.perturbation.draws import generator, scale
from icc_cli.perturbation.weight_space import WeightSpace, right

UPPER = 2.0
IMAGES = 32
"""Images of one draw of the sequential search. Weights vary more than images do, so many draws of few images
say more about the mean, for the same number of forward passes, than few draws of many."""
BLOCK = 8
ELEMENTS = 2**27
"""Weights of the draws that are run at once, at the most (float32: 512 MB)."""


class RandomDraws:
    """Each draw perturbs all weights anew and meets a fresh random part of the images (see `Sampler`).

    `images` is the size of that part; the same draw has the same z and the same images at every magnitude.
    """

    upper = UPPER

    def __init__(self, space: WeightSpace, seed: str, images: int | None = None) -> None:
        self._space = space
        self._seed = seed
        batch = space.statistics_batch if space.batch_statistics else IMAGES
        self.images = min(batch if images is None else images, len(space))
        # Draws of many images are dear, and fewer of them say as much.
        self.block = BLOCK // 2 if self.images > IMAGES else BLOCK
        self.passes = 0
        elements = sum(weight.numel() for weight in space.weights.values())
        whole = self.images <= (space.statistics_batch if space.batch_statistics else space.batch_size)
        self._at_once = max(1, min(BLOCK, space.batch_size // self.images, ELEMENTS // elements)) if whole else 1
        self._scales = {name: scale(weight) for name, weight in space.weights.items()}

    def accuracies(self, magnitude: float, draws: Sequence[int], target: float = 0.0) -> NDArray[np.float64]:
        """Accuracies (draws,) at `magnitude`."""
        self.passes += len(draws) * self.images
        found: list[float] = []
        for start in range(0, len(draws), self._at_once):
            found += self._together(magnitude, draws[start : start + self._at_once])
        return np.array(found)

    rough = accuracies

    def _together(self, magnitude: float, draws: Sequence[int]) -> list[float]:
        drawn = [self._draw(magnitude, draw) for draw in draws]
        if len(drawn) > 1:
            counts = self._mapped(drawn)
            if counts is not None:
                return [count / self.images for count in counts]
        return [self._space.correct(weights, rows) / self.images for weights, rows in drawn]

    def _draw(self, magnitude: float, draw: int) -> tuple[dict[str, Tensor], Tensor]:
        space = self._space
        random = generator(self._seed, draw, space.labels.device)
        rows = torch.randperm(len(space), generator=random, device=space.labels.device)[: self.images]
        weights = {}
        for name, weight in space.weights.items():
            noise = torch.randn(weight.shape, generator=random, device=weight.device)
            weights[name] = noise.mul_(self._scales[name]).mul_(magnitude).add_(weight)
        return weights, rows

    def _mapped(self, drawn: list[tuple[dict[str, Tensor], Tensor]]) -> list[int] | None:
        """Right answers of each draw, all in one pass; None where the network cannot be run so."""
        space = self._space
        stacked = {name: torch.stack([weights[name] for weights, _ in drawn]) for name in space.weights}
        rows = torch.stack([rows for _, rows in drawn])
        inputs = torch.stack([space.samples.inputs(row) for row in rows])
        try:
            with torch.no_grad():
                logits = torch.func.vmap(space.logits)(stacked, inputs)
        except torch.OutOfMemoryError:
            self._at_once = max(1, self._at_once // 2)
            return None
        except (RuntimeError, ValueError):
            # Networks that decide by their values, or use what vmap does not know, are run one draw at a time.
            self._at_once = 1
            return None
        counts: list[int] = right(logits, space.labels[rows]).sum(-1).tolist()
        return counts
