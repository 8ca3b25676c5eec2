"""The default search for alpha: a secant of few ascents."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icc_cli.perturbation.ascent import SETTLED
from icc_cli.perturbation.bracket import at_bound, bracket
from icc_cli.perturbation.estimate import CONVERGED, NOT_CONVERGED, SMALLEST, Estimate, Sampler
from icc_cli.perturbation.schedule import DEFAULT, Schedule, Secant
from icc_cli.perturbation.student import widened


def search(sampler: Sampler, target: float, schedule: Schedule = DEFAULT) -> Estimate:
    """The magnitude at which the accuracy after ascent crosses `target`.

    Ascents hardly vary from draw to draw: the bracket takes the first steps of one ascent at each magnitude, and so
    do the first steps of a secant in log m from there; once near the target, each step is a fresh draw to its end,
    until three are near.
    """
    plan = schedule.secant
    centre = bracket(sampler, target, 1, schedule.bracket)
    if centre is None or centre <= SMALLEST:
        return at_bound(sampler, sampler.upper if centre is None else SMALLEST)
    limits = math.log(SMALLEST), math.log(sampler.upper)
    x, slope = math.log(centre), plan.first_slope
    ascents = _Ascents()
    for draw in range(plan.most_ascents):
        # A guess will do until there is a magnitude near the target.
        whole = bool((np.abs(ascents.excess) <= plan.near).any())
        accuracies = sampler.accuracies if whole else sampler.rough
        ascents.add(x, accuracies(math.exp(x), [draw], target)[0] - target, whole)
        if ascents.excess[-1] > 0 and x >= limits[1]:
            return at_bound(sampler, sampler.upper, target + float(ascents.excess[-1]), draw + 1)
        slope = _fitted(ascents, slope, plan)
        if ascents.near(plan).sum() >= plan.wanted:
            break
        x = min(max(_towards(ascents, slope, plan), limits[0]), limits[1])
    return _estimate(ascents, slope, target, sampler, plan)


@dataclass
class _Ascents:
    """Where each ascent was taken, in log m; its accuracy less the target; whether it went to its end."""

    at: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    excess: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    whole: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def add(self, at: float, excess: float, whole: bool) -> None:
        self.at = np.append(self.at, at)
        self.excess = np.append(self.excess, excess)
        self.whole = np.append(self.whole, whole)

    def near(self, plan: Secant) -> NDArray[np.bool_]:
        """Which of them give a term of the estimate."""
        found: NDArray[np.bool_] = self.whole & (np.abs(self.excess) <= plan.near)
        return found


def _estimate(ascents: _Ascents, slope: float, target: float, sampler: Sampler, plan: Secant) -> Estimate:
    """The mean of the terms x + (accuracy - target) / slope of the ascents near the target, or of the nearest.

    Its standard error is the spread of the terms, and what an ascent that counts as settled may still have had to
    take.
    """
    near = ascents.near(plan)
    outcome = CONVERGED if near.sum() >= plan.wanted else NOT_CONVERGED
    if not near.any():
        near = np.abs(ascents.excess) == np.abs(ascents.excess).min()
    terms = (ascents.at + ascents.excess / slope)[near]
    n = len(terms)
    spread = max(float(terms.std(ddof=1)) if n > 1 else math.inf, 1 / sampler.images / slope)
    error = math.hypot(widened(spread / math.sqrt(n), n), SETTLED / slope)
    inverse = math.exp(-float(terms.mean()))
    stated = error * inverse if math.isfinite(error) else None
    accuracy = target + float(ascents.excess[near].mean())
    return Estimate(outcome, inverse, stated, accuracy, sampler.passes, len(ascents.at))


def _towards(ascents: _Ascents, slope: float, plan: Secant) -> float:
    """Where the next ascent goes: between the nearest on both sides of the target, or along the slope from one.

    Whole ascents alone decide, once there is one.
    """
    known = ascents.whole if ascents.whole.any() else ~ascents.whole
    at, excess = ascents.at[known], ascents.excess[known]
    if (excess > 0).all() or (excess <= 0).all():
        nearest = int(at.argmax() if excess[0] > 0 else at.argmin())
        return float(at[nearest] + np.clip(excess[nearest] / slope, -plan.most_step, plan.most_step))
    over = int(np.where(excess > 0, excess, np.inf).argmin())
    under = int(np.where(excess > 0, -np.inf, excess).argmax())
    if excess[under] <= -plan.far:  # its size says nothing: take the nearest
        under = int(np.where(excess > 0, np.inf, at).argmin())
    line = at[over] < at[under] and excess[under] > -plan.far
    share = excess[over] / (excess[over] - excess[under]) if line else 0.5
    return float(at[over] + share * (at[under] - at[over]))


def _fitted(ascents: _Ascents, slope: float, plan: Secant) -> float:
    """The slope, positive, of a line through the ascents not far from the target; `slope` without two apart."""
    close = np.abs(ascents.excess) <= plan.far
    if close.sum() < 2 or np.ptp(ascents.at[close]) < plan.least_distance:
        return slope
    fitted = -float(np.polyfit(ascents.at[close], ascents.excess[close], 1)[0])
    return fitted if fitted > plan.least_slope else slope
