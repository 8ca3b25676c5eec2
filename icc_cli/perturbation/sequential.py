"""The default search: a bracket under common random numbers, then stochastic approximation around the crossing."""

import math
from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from icc_cli.perturbation.ascent import SETTLED
from icc_cli.perturbation.estimate import CONVERGED, HIT_BOUND, NOT_CONVERGED, SMALLEST, Estimate, Sampler

SURE = 2.5
"""Standard errors between a mean and the target from which on the side is taken for certain."""
SPREAD = 0.04
"""Accuracies of one magnitude are taken to vary by so much, until there are draws enough to tell."""
FIRST_STEP = 8.0
CLOSE = 1.7
BRACKET_DRAWS = 4
FRESH = 1_000_000
"""Draws from this number on are used once; those before it are common to all magnitudes of the bracket."""
HALF = 0.25
"""The slope of accuracy in log m is taken between magnitudes so far on both sides."""
NEAR = 0.12
"""A slope is good for a crossing so near to where it was taken, in log m."""
SLOPE_ERROR = 0.35
"""Relative standard error to which a slope is wanted."""
LEAST, MOST = 16, 16_384
"""Draws of one crossing."""
MOST_PAIRS = 96
NORMAL = 1.96
WORST_DRAWS, WORST_MOST = 3, 16
"""Ascents near the target that an estimate takes, and ascents in all at the most."""
WORST_SLOPE, WORST_FLAT = 0.25, 0.03
"""The slope of accuracy in log m that is taken until there are two ascents to tell, and the least that is believed."""
WORST_NEAR, WORST_FAR = 0.03, 0.05
"""How far from the target an ascent's accuracy may lie to give a term, and to have a part in the slope."""
WORST_APART = 0.04
WORST_STEP = 0.5


def search(sampler: Sampler, target: float, tolerance: float) -> Estimate:
    """The magnitude at which mean accuracy crosses `target`, to a relative standard error of `tolerance`.

    Lai and Robbins' adaptive stochastic approximation: with theta the crossing's logarithm and b the slope of
    accuracy in log m, every fresh draw at x gives a term x + (accuracy - target) / b, whose mean over the draws is
    the estimate of theta and the x of the next draws. Since x stays at the estimate, an error of b does not bias it;
    b is taken anew, from pairs of magnitudes with common random numbers, when the estimate has moved away from where
    it was taken.
    """
    centre = _bracket(sampler, target, BRACKET_DRAWS)
    if centre is None or centre <= SMALLEST:
        return _at_bound(sampler, sampler.upper if centre is None else SMALLEST)
    fresh = count(FRESH)
    x = taken = math.log(centre)
    slope, slope_error = _slope(sampler, target, x, fresh)
    positions: list[float] = []
    values: list[float] = []
    error = math.inf
    while len(values) < MOST:
        found = sampler.accuracies(math.exp(x), [next(fresh) for _ in range(sampler.block)], target)
        values += found.tolist()
        positions += [x] * len(found)
        x, error = _estimate(positions, values, target, slope, sampler.images)
        error *= math.sqrt(1 + slope_error**2)
        if x - 2 * error > math.log(sampler.upper) and len(values) >= LEAST:
            return _at_bound(sampler, sampler.upper, float(np.mean(found)), len(values))
        x = min(max(x, taken - 2 * HALF), taken + 2 * HALF, math.log(sampler.upper) + NEAR)
        if abs(x - taken) > NEAR and (error <= 2 * tolerance or abs(x - taken) > HALF) and len(values) >= LEAST:
            taken = x
            slope, slope_error = _slope(sampler, target, x, fresh)
            # Draws from afar bias the mean as far as accuracy is not linear; they are left out.
            near = [i for i, position in enumerate(positions) if abs(position - x) <= HALF]
            positions, values = [positions[i] for i in near], [values[i] for i in near]
        elif error <= tolerance and len(values) >= LEAST:
            break
    if x > math.log(sampler.upper):
        return _at_bound(sampler, sampler.upper, float(np.mean(values)), len(values))
    outcome = CONVERGED if error <= tolerance else NOT_CONVERGED
    accuracy = float(np.mean(values))
    return Estimate(outcome, math.exp(-x), error * math.exp(-x), accuracy, sampler.passes, len(values))


def search_worst(sampler: Sampler, target: float) -> Estimate:
    """The same for ascents, whose accuracy hardly varies from draw to draw: the bracket takes the first steps of one
    ascent at each magnitude, and so do the first steps of a secant in log m from there; once near the target, each
    step is a fresh draw to its end, until three are near. Each of those gives a term x + (accuracy - target) / b,
    b the slope fitted to all that are not far; the estimate is their mean. Its standard error is the spread of the
    terms, and what an ascent that counts as settled may still have had to take.
    """
    centre = _bracket(sampler, target, 1)
    if centre is None or centre <= SMALLEST:
        return _at_bound(sampler, sampler.upper if centre is None else SMALLEST)
    limits = math.log(SMALLEST), math.log(sampler.upper)
    x, slope = math.log(centre), WORST_SLOPE
    at, excess = np.zeros(0), np.zeros(0)
    taken = np.zeros(0, dtype=bool)
    for draw in range(WORST_MOST):
        # A guess will do until there is a magnitude near the target.
        settled = draw > 0 and bool((np.abs(excess) <= WORST_NEAR).any())
        sample = sampler.accuracies if settled else sampler.rough
        at = np.append(at, x)
        excess = np.append(excess, sample(math.exp(x), [draw], target)[0] - target)
        taken = np.append(taken, settled)
        if excess[-1] > 0 and x >= limits[1]:
            return _at_bound(sampler, sampler.upper, target + float(excess[-1]), draw + 1)
        slope = _fitted(at, excess, slope)
        near = taken & (np.abs(excess) <= WORST_NEAR)
        if near.sum() >= WORST_DRAWS:
            break
        known = taken if taken.any() else ~taken
        x = min(max(_towards(at[known], excess[known], slope), limits[0]), limits[1])
    converged = near.sum() >= WORST_DRAWS
    if not near.any():
        near = np.abs(excess) == np.abs(excess).min()
    terms = (at + excess / slope)[near]
    n = len(terms)
    spread = max(float(terms.std(ddof=1)) if n > 1 else math.inf, 1 / sampler.images / slope)
    error = math.hypot(spread / math.sqrt(n) * float(student.ppf(0.975, max(n - 1, 1))) / NORMAL, SETTLED / slope)
    inverse = math.exp(-float(terms.mean()))
    outcome = CONVERGED if converged else NOT_CONVERGED
    accuracy = target + float(excess[near].mean())
    stated = error * inverse if math.isfinite(error) else None
    return Estimate(outcome, inverse, stated, accuracy, sampler.passes, len(at))


def _at_bound(sampler: Sampler, magnitude: float, accuracy: float | None = None, draws: int = 0) -> Estimate:
    """The answer of a search that ended at one of its bounds."""
    return Estimate(HIT_BOUND, 1 / magnitude, None, accuracy, sampler.passes, draws)


def _towards(at: NDArray[np.float64], excess: NDArray[np.float64], slope: float) -> float:
    """Where the next ascent goes: between the nearest on both sides of the target, or along the slope from one."""
    if (excess > 0).all() or (excess <= 0).all():
        nearest = int(at.argmax() if excess[0] > 0 else at.argmin())
        return float(at[nearest] + np.clip(excess[nearest] / slope, -WORST_STEP, WORST_STEP))
    over = int(np.where(excess > 0, excess, np.inf).argmin())
    under = int(np.where(excess > 0, -np.inf, excess).argmax())
    if excess[under] <= -WORST_FAR:  # its size says nothing: take the nearest
        under = int(np.where(excess > 0, np.inf, at).argmin())
    line = at[over] < at[under] and excess[under] > -WORST_FAR
    share = excess[over] / (excess[over] - excess[under]) if line else 0.5
    return float(at[over] + share * (at[under] - at[over]))


def _fitted(at: NDArray[np.float64], excess: NDArray[np.float64], slope: float) -> float:
    """The slope, positive, of a line through the draws that are not far from the target; `slope` without two apart."""
    close = np.abs(excess) <= WORST_FAR
    if close.sum() < 2 or np.ptp(at[close]) < WORST_APART:
        return slope
    fitted = -float(np.polyfit(at[close], excess[close], 1)[0])
    return fitted if fitted > WORST_FLAT else slope


def _slope(sampler: Sampler, target: float, x: float, fresh: Iterator[int]) -> tuple[float, float]:
    """How fast mean accuracy falls in log m around `x` (positive), and its relative standard error."""
    falls: list[float] = []
    while len(falls) < MOST_PAIRS:
        draws = [next(fresh) for _ in range(max(2, sampler.block // 2))]
        low, high = (sampler.accuracies(math.exp(x + step), draws, target) for step in (-HALF, HALF))
        falls += ((low - high) / (2 * HALF)).tolist()
        slope = float(np.mean(falls))
        error = float(np.std(falls, ddof=1)) / math.sqrt(len(falls))
        if slope > 0 and error <= SLOPE_ERROR * slope:
            break
    least = 1 / (sampler.images * len(falls) * 2 * HALF)
    return max(slope, least), error / max(slope, least)


def _estimate(
    positions: list[float], values: list[float], target: float, slope: float, images: int
) -> tuple[float, float]:
    """The crossing's logarithm, and its standard error, widened by Student's t for few draws.

    Accuracies of so many images lie on a grid: its step's variance is the least of theirs.
    """
    terms: NDArray[np.float64] = np.array(positions) + (np.array(values) - target) / slope
    n = len(terms)
    variance = float(terms.var(ddof=1)) + (1 / images / slope) ** 2 / 12
    return float(terms.mean()), math.sqrt(variance / n) * float(student.ppf(0.975, n - 1)) / NORMAL


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


def _binomial(target: float, images: int) -> float:
    """Standard deviation of the accuracy over `images` that are each right with the probability `target`."""
    return math.sqrt(target * (1 - target) / images)
