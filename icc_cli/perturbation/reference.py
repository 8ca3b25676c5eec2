"""The authors' search: bisection, each step with fresh randomness."""

from icc_cli.perturbation.estimate import CONVERGED, HIT_BOUND, NOT_CONVERGED, Estimate, Sampler

STEPS = 20
CLOSE = 5e-3
NARROW = 1e-5


def bisect(sampler: Sampler, target: float, draws: int) -> Estimate:
    """Bisect [0, upper] for at most 20 steps; stop where the mean accuracy of `draws` draws is within 5e-3 of
    `target`, or the interval is narrower than 1e-5. The answer is the last midpoint; it has no standard error.

    A search that ends against the upper end has hit the bound.
    """
    low, high = 0.0, sampler.upper
    used = 0
    for _ in range(STEPS):
        magnitude = (low + high) / 2
        accuracy = float(sampler.accuracies(magnitude, range(used, used + draws), target).mean())
        used += draws
        if abs(accuracy - target) < CLOSE:
            return Estimate(CONVERGED, 1 / magnitude, None, accuracy, sampler.passes, used)
        low, high = (magnitude, high) if accuracy > target else (low, magnitude)
        if high - low < NARROW:
            break
    if high == sampler.upper:
        return Estimate(HIT_BOUND, 1 / high, None, accuracy, sampler.passes, used)
    outcome = CONVERGED if high - low < NARROW else NOT_CONVERGED
    return Estimate(outcome, 1 / magnitude, None, accuracy, sampler.passes, used)
