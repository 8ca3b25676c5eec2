"""The first part of the default search: a magnitude near the crossing, by draws common to all magnitudes."""

import math

import numpy as np

from icc_cli.perturbation.estimate import HIT_BOUND, SMALLEST, Estimate, Sampler
from icc_cli.perturbation.schedule import Bracket


def bracket(sampler: Sampler, target: float, draws: int, schedule: Bracket) -> float | None:
    """A magnitude near the crossing, SMALLEST when it is at or under that; None when accuracy is over the target at
    the upper end.

    A draw is the same perturbation at every magnitude, so that its accuracy falls steadily: down from the upper end
    in large steps, then by halving in log m. `draws` are taken at each magnitude at the most.
    """
    high = sampler.upper
    if (over := _excess(sampler, high, target, draws, schedule)) >= 0:
        return None if over > 0 else high
    low = high / schedule.first_factor
    while (over := _excess(sampler, low, target, draws, schedule)) <= 0:
        if over == 0:
            return low
        if low <= SMALLEST:
            return SMALLEST
        low, high = max(low / schedule.first_factor, SMALLEST), low
    while high / low > schedule.last_factor:
        middle = math.sqrt(low * high)
        over = _excess(sampler, middle, target, draws, schedule)
        if over == 0:
            return middle
        low, high = (middle, high) if over > 0 else (low, middle)
    return math.sqrt(low * high)


def at_bound(sampler: Sampler, magnitude: float, accuracy: float | None = None, draws: int = 0) -> Estimate:
    """The answer of a search that ended at one of its bounds."""
    return Estimate(HIT_BOUND, 1 / magnitude, None, accuracy, sampler.passes, draws)


def _excess(sampler: Sampler, magnitude: float, target: float, draws: int, schedule: Bracket) -> float:
    """Mean accuracy less the target, as soon as its sign is certain; 0 when it stays open."""
    binomial = math.sqrt(target * (1 - target) / sampler.images)
    values: list[float] = []
    for draw in range(draws):
        values += sampler.rough(magnitude, [draw], target).tolist()
        difference = float(np.mean(values)) - target
        spread = max(float(np.std(values)), binomial, schedule.least_spread)
        if abs(difference) > schedule.certain * spread / math.sqrt(len(values)):
            return difference
    return 0.0
