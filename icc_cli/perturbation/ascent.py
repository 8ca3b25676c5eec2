"""Accuracy under the worst perturbation that gradient ascent finds in the box w +- m (abs(w) + 1e-3)."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from icc_cli.perturbation.draws import generator, scale
from icc_cli.perturbation.weight_space import WeightSpace, right

UPPER = 0.25
EPOCHS = 5
STEPS = 250
ROUGH_STEPS = 25
BATCH = 128
LEARNING_RATE = 1.0
DECAY = 0.1
DECAY_EPOCH = 3
"""The learning rate is multiplied by DECAY in this epoch, counted from 0, and those after it."""
GIVE_UP = 0.7
"""An ascent ends after the epoch that brings accuracy under this."""
GRADIENT_PASSES = 3
"""A forward pass with its gradient costs about as much as so many forward passes."""
CHECK = 5
WINDOW = 10
SURE, GIVEN_BACK = 4.0, 0.04
"""Standard errors between the last batches and the target from which on the side is certain, over the accuracy that
the steps at the lower learning rate may give back."""
SETTLE_EVERY = 25
SETTLED = 0.002
"""An ascent that takes less accuracy than this in 25 steps has settled."""
LAST_STEPS = 10
"""Steps at the lower learning rate, once it has."""
WATCHED = 2048
TEST_IMAGES = 8192


class Ascents:
    """Each draw is one ascent, its batches in a random order of its own (see `Sampler`).

    The ascent starts at the trained weights: SGD on the cross-entropy of batches of 128, five epochs (`steps` is
    their sum, 250), learning rate 1 and .1 in the last two epochs, every step followed by clipping to the box.

    With `thorough` (the reference) accuracy is over all images, after every epoch, and an ascent that falls
    under .7 ends. Otherwise an ascent ends as soon as its last ten batches are under the target by four standard
    errors and what the last steps may give back, or when it has settled: in the box it is against the walls
    after a few dozen steps. 2,048 images are watched for that, and accuracy is over 8,192 at the most.
    """

    upper = UPPER
    block = 1

    def __init__(self, space: WeightSpace, seed: str, steps: int = STEPS, thorough: bool = False) -> None:
        self._space = space
        self._seed = seed
        self._steps = steps
        self._thorough = thorough
        self.images = len(space) if thorough else min(TEST_IMAGES, len(space))
        self.passes = 0

    def accuracies(self, magnitude: float, draws: Sequence[int], target: float) -> NDArray[np.float64]:
        """Accuracies (draws,) after ascent in the box of `magnitude`."""
        return np.array([self._ascend(magnitude, draw, target, self._steps) for draw in draws])

    def rough(self, magnitude: float, draws: Sequence[int], target: float) -> NDArray[np.float64]:
        """Accuracies (draws,) of the last batches of the first 25 steps: nearly all of the ascent happens in them."""
        steps = min(ROUGH_STEPS, self._steps)
        return np.array([self._ascend(magnitude, draw, target, steps) for draw in draws])

    def _ascend(self, magnitude: float, draw: int, target: float, steps: int) -> float:
        space = self._space
        random = generator(self._seed, draw, space.labels.device)
        images = torch.randperm(len(space), generator=random, device=random.device)[: self.images]
        batches = _batches(len(space), random)
        names = list(space.weights)
        radii = [magnitude * scale(weight) for weight in space.weights.values()]
        lower = [weight - radius for weight, radius in zip(space.weights.values(), radii, strict=True)]
        upper = [weight + radius for weight, radius in zip(space.weights.values(), radii, strict=True)]
        current = [weight.clone().requires_grad_() for weight in space.weights.values()]
        seen: list[tuple[Tensor, int]] = []
        accuracy, watched, end = math.nan, math.inf, steps
        settled = False
        for step in range(steps):
            slow = step * EPOCHS >= DECAY_EPOCH * self._steps or settled
            rows = next(batches)
            logits = space.logits(dict(zip(names, current, strict=True)), space.samples.inputs(rows))
            gradients = torch.autograd.grad(F.cross_entropy(logits, space.labels[rows]), current)
            self.passes += GRADIENT_PASSES * len(rows)
            seen.append((right(logits.detach(), space.labels[rows]).sum(), len(rows)))
            with torch.no_grad():
                for weight, gradient, low, high in zip(current, gradients, lower, upper, strict=True):
                    weight.add_(gradient, alpha=LEARNING_RATE * (DECAY if slow else 1.0)).clamp_(low, high)
            done = step + 1
            if self._thorough:
                if done == steps or done * EPOCHS % steps < EPOCHS:
                    accuracy = self._accuracy(names, current, images)
                    if accuracy < GIVE_UP:
                        break
                continue
            if done % CHECK == 0 and _surely_under(seen[-min(WINDOW, done - 1) :], target):
                return 0.0
            if done == end:
                break
            if done % SETTLE_EVERY == 0 and not slow:
                before, watched = watched, self._accuracy(names, current, images[:WATCHED])
                settled = before - watched < SETTLED
                end = min(done + LAST_STEPS, steps) if settled else steps
        if self._thorough:
            return accuracy
        if steps < self._steps:
            return _accuracy_of(seen[-WINDOW:])
        return self._accuracy(names, current, images)

    def _accuracy(self, names: Sequence[str], weights: Sequence[Tensor], rows: Tensor) -> float:
        self.passes += len(rows)
        found = {name: weight.detach() for name, weight in zip(names, weights, strict=True)}
        return self._space.correct(found, rows) / len(rows)


def _batches(count: int, random: torch.Generator) -> Iterator[Tensor]:
    """Batches of 128 rows (all rows when there are fewer) of one random order after another."""
    size = min(BATCH, count)
    while True:
        order = torch.randperm(count, generator=random, device=random.device)
        yield from torch.tensor_split(order[: count - count % size], count // size)


def _surely_under(seen: Sequence[tuple[Tensor, int]], target: float) -> bool:
    """Whether the accuracy of the last batches is under `target` beyond doubt."""
    total = sum(count for _, count in seen)
    return _accuracy_of(seen) < target - GIVEN_BACK - SURE * math.sqrt(target * (1 - target) / total)


def _accuracy_of(seen: Sequence[tuple[Tensor, int]]) -> float:
    return float(sum(correct for correct, _ in seen)) / sum(count for _, count in seen)
