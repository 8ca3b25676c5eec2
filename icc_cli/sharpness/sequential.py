"""The default search: a bracket under common random numbers, then fresh draws on both sides of the crossing."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import t as student

from icc_cli.sharpness.estimate import CONVERGED, HIT_BOUND, NOT_CONVERGED, SMALLEST, Estimate, Sampler

SURE = 2.5
"""Standard errors between a mean and the target from which on the side is taken for certain."""
SPREAD = 0.04
"""Accuracies of one magnitude are taken to vary by so much, until there are draws enough to tell."""
FIRST_STEP = 8.0
CLOSE = 1.7
FRESH = 1_000_000
"""Draws from this number on are used once; those before it are common to all magnitudes of the bracket."""
ATTEMPTS = 8
NORMAL = 1.96
FAR = 1.5
"""Half distances of the levels from their centre; a crossing farther off is looked for from there."""
FALLS = 5.0
"""Standard errors by which accuracy has to fall between the levels. With fewer the slope is unsure, and a search
that stops when its error looks small would stop where the slope looks steep."""


def search(
    sampler: Sampler,
    target: float,
    tolerance: float,
    draws: int = 4,
    least: int = 2,
    most: int = 512,
    widest: float = 0.2,
) -> Estimate:
    """The magnitude at which mean accuracy crosses `target`, to a relative standard error of `tolerance`.

    So many `draws` at the most decide a side of the bracket; each of the two levels at the crossing is given
    `least` to `most` blocks.
    """
    centre = _bracket(sampler, target, draws)
    if centre is None:
        return Estimate(HIT_BOUND, 1 / sampler.upper, None, None, sampler.passes, 0)
    if centre <= SMALLEST:
        return Estimate(HIT_BOUND, 1 / SMALLEST, None, None, sampler.passes, 0)
    return _refine(sampler, target, centre, tolerance, least * sampler.block, most * sampler.block, widest)


def _bracket(sampler: Sampler, target: float, draws: int) -> float | None:
    """A magnitude near the crossing; None when accuracy is over the target at the upper end."""

    def excess(magnitude: float) -> float:
        """Mean accuracy less the target, as soon as its sign is certain; 0 when it stays open."""
        values: list[float] = []
        for draw in range(draws):
            values += sampler.rough(magnitude, [draw], target).tolist()
            difference = float(np.mean(values)) - target
            spread = max(float(np.std(values)), _binomial(target, sampler.images), SPREAD)
            if abs(difference) > SURE * spread / math.sqrt(len(values)):
                return difference
        return 0.0

    high = sampler.upper
    if (over := excess(high)) >= 0:
        return None if over > 0 else high
    low = high / FIRST_STEP
    while (over := excess(low)) <= 0:
        if over == 0:
            return low
        if low <= SMALLEST:
            return SMALLEST
        low, high = max(low / FIRST_STEP, SMALLEST), low
    while high / low > CLOSE:
        middle = math.sqrt(low * high)
        over = excess(middle)
        if over == 0:
            return middle
        low, high = (middle, high) if over > 0 else (low, middle)
    return math.sqrt(low * high)


@dataclass
class _Level:
    """The draws at one magnitude."""

    magnitude: float
    values: list[float] = field(default_factory=list)

    def add(self, sampler: Sampler, fresh: Iterator[int], target: float) -> None:
        draws = [next(fresh) for _ in range(sampler.block)]
        self.values += sampler.accuracies(self.magnitude, draws, target).tolist()


@dataclass(frozen=True)
class Crossing:
    """Where accuracy crosses the target: `position` in units of the half distance of the levels from their centre,
    the standard error of the magnitude's logarithm, and by how many standard errors the logit of accuracy falls between
    the levels."""

    position: float
    error: float
    falls: float


def crossing(low: NDArray[np.float64], high: NDArray[np.float64], target: float, images: int, half: float) -> Crossing:
    """The crossing from accuracies at two magnitudes, whose logarithms are 2 `half` apart.

    The logit of mean accuracy is taken for linear in log m between them. The error is the delta method's, with the
    variance of each level's mean from its draws, and Student's t: it is widened so that 1.96 of it cover 95 %
    however few the draws are. Images are a grid of accuracies: their step's variance is the least of a mean's.
    """
    n = len(low)
    step = 1 / images
    means = [(values.sum() + step / 2) / (n + step) for values in (low, high)]
    variances = [
        (values.var(ddof=1) / n + step**2 / 12 / n) / (p * (1 - p)) ** 2
        for values, p in zip((low, high), means, strict=True)
    ]
    drop = float(logit(means[0]) - logit(means[1]))
    if drop <= 0:
        return Crossing(math.copysign(math.inf, np.mean(means) - target), math.inf, 0.0)
    position = float((logit(means[0]) + logit(means[1])) / 2 - logit(target)) / (drop / 2)
    weights = (1 - position) / 2, (1 + position) / 2
    slope = drop / (2 * half)
    error = math.sqrt(weights[0] ** 2 * variances[0] + weights[1] ** 2 * variances[1]) / slope
    widened = error * float(student.ppf(0.975, 2 * n - 2)) / NORMAL
    return Crossing(position, widened, drop / math.sqrt(sum(variances)))


def _refine(
    sampler: Sampler, target: float, centre: float, tolerance: float, least: int, most: int, widest: float
) -> Estimate:
    """Fresh draws at two magnitudes on both sides of `centre`, until the crossing between them is sure enough."""
    fresh = count(FRESH)
    half = min(max(4 * tolerance, 0.03), widest)
    best = Estimate(NOT_CONVERGED, 1 / centre, None, None, sampler.passes, 0)
    for _ in range(ATTEMPTS):
        low, high = _Level(centre * math.exp(-half)), _Level(centre * math.exp(half))
        while len(low.values) < most:
            low.add(sampler, fresh, target)
            high.add(sampler, fresh, target)
            if len(low.values) < least:
                continue
            found = crossing(np.array(low.values), np.array(high.values), target, sampler.images, half)
            if abs(found.position) > FAR:
                break
            magnitude = centre * math.exp(half * found.position)
            accuracy = (
                float(np.mean(low.values) * (1 - found.position) + np.mean(high.values) * (1 + found.position)) / 2
            )
            outcome = CONVERGED if found.error <= tolerance and found.falls >= FALLS else NOT_CONVERGED
            best = Estimate(
                outcome, 1 / magnitude, found.error / magnitude, accuracy, sampler.passes, 2 * len(low.values)
            )
            if magnitude > sampler.upper:
                return Estimate(HIT_BOUND, 1 / sampler.upper, None, accuracy, sampler.passes, 2 * len(low.values))
            if outcome == CONVERGED:
                return best
        else:
            return best
        if found.falls < FALLS:
            half *= 1.6
        if math.isfinite(found.position):
            centre = min(centre * math.exp(half * max(-4.0, min(4.0, found.position))), sampler.upper)
        else:
            centre *= math.exp(math.copysign(half, found.position))
    return best


def _binomial(target: float, images: int) -> float:
    """Standard deviation of the accuracy over `images` that are each right with the probability `target`."""
    return math.sqrt(target * (1 - target) / images)
