"""The default search for sigma: stochastic approximation around the crossing."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from icc_cli.perturbation.bracket import at_bound, bracket
from icc_cli.perturbation.estimate import CONVERGED, NOT_CONVERGED, SMALLEST, Estimate, Sampler
from icc_cli.perturbation.schedule import DEFAULT, Approximation, Schedule
from icc_cli.perturbation.student import widened


def search(sampler: Sampler, target: float, tolerance: float, schedule: Schedule = DEFAULT) -> Estimate:
    """The magnitude at which mean accuracy crosses `target`, to a relative standard error of `tolerance`.

    Lai and Robbins' adaptive stochastic approximation: with theta the crossing's logarithm and b the slope of
    accuracy in log m, every fresh draw at x gives a term x + (accuracy - target) / b, whose mean over the draws is
    the estimate of theta and the x of the next draws. Since x stays at the estimate, an error of b does not bias it;
    b is taken anew, from pairs of magnitudes with common random numbers, when the estimate has moved away from where
    it was taken.
    """
    plan = schedule.approximation
    centre = bracket(sampler, target, schedule.bracket.random_draws, schedule.bracket)
    if centre is None or centre <= SMALLEST:
        return at_bound(sampler, sampler.upper if centre is None else SMALLEST)
    fresh = count(plan.first_fresh_draw)
    top = math.log(sampler.upper)
    x = taken = math.log(centre)
    slope, slope_error = _slope(sampler, target, x, fresh, plan)
    draws = _Draws()
    error = math.inf
    while len(draws.values) < plan.most_draws:
        found = sampler.accuracies(math.exp(x), [next(fresh) for _ in range(sampler.block)], target)
        draws.add(x, found.tolist())
        x, error = draws.crossing(target, slope, sampler.images)
        error *= math.sqrt(1 + slope_error**2)
        enough = len(draws.values) >= plan.least_draws
        if x - 2 * error > top and enough:
            return at_bound(sampler, sampler.upper, float(np.mean(found)), len(draws.values))
        x = min(max(x, taken - 2 * plan.half_step), taken + 2 * plan.half_step, top + plan.slope_reach)
        moved = abs(x - taken)
        if moved > plan.slope_reach and (error <= 2 * tolerance or moved > plan.half_step) and enough:
            taken = x
            slope, slope_error = _slope(sampler, target, x, fresh, plan)
            draws.keep_near(x, plan.half_step)
        elif error <= tolerance and enough:
            break
    accuracy = float(np.mean(draws.values))
    if x > top:
        return at_bound(sampler, sampler.upper, accuracy, len(draws.values))
    outcome = CONVERGED if error <= tolerance else NOT_CONVERGED
    return Estimate(outcome, math.exp(-x), error * math.exp(-x), accuracy, sampler.passes, len(draws.values))


@dataclass
class _Draws:
    """Where each fresh draw was taken, in log m, and its accuracy."""

    positions: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, position: float, values: list[float]) -> None:
        self.values += values
        self.positions += [position] * len(values)

    def keep_near(self, x: float, reach: float) -> None:
        """Leave out the draws that are over `reach` from `x`: they bias the mean as far as accuracy is not linear."""
        near = [i for i, position in enumerate(self.positions) if abs(position - x) <= reach]
        self.positions, self.values = [self.positions[i] for i in near], [self.values[i] for i in near]

    def crossing(self, target: float, slope: float, images: int) -> tuple[float, float]:
        """The crossing's logarithm, and its standard error, widened by Student's t for few draws.

        Accuracies of so many images lie on a grid: its step's variance is the least of theirs.
        """
        terms: NDArray[np.float64] = np.array(self.positions) + (np.array(self.values) - target) / slope
        n = len(terms)
        variance = float(terms.var(ddof=1)) + (1 / images / slope) ** 2 / 12
        return float(terms.mean()), widened(math.sqrt(variance / n), n)


def _slope(sampler: Sampler, target: float, x: float, fresh: Iterator[int], plan: Approximation) -> tuple[float, float]:
    """How fast mean accuracy falls in log m around `x` (positive), and its relative standard error."""
    half = plan.half_step
    falls: list[float] = []
    while len(falls) < plan.most_pairs:
        draws = [next(fresh) for _ in range(max(2, sampler.block // 2))]
        low, high = (sampler.accuracies(math.exp(x + step), draws, target) for step in (-half, half))
        falls += ((low - high) / (2 * half)).tolist()
        slope = float(np.mean(falls))
        error = float(np.std(falls, ddof=1)) / math.sqrt(len(falls))
        if slope > 0 and error <= plan.slope_error * slope:
            break
    least = 1 / (sampler.images * len(falls) * 2 * half)
    return max(slope, least), error / max(slope, least)
