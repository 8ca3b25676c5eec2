"""A standard error from few terms."""

from scipy.stats import t as student

PROBABILITY = 0.975
NORMAL_QUANTILE = 1.96


def widened(standard_error: float, terms: int) -> float:
    """`standard_error` of a mean of `terms` terms, so widened that 1.96 of it on both sides hold the truth in 95 %."""
    return standard_error * float(student.ppf(PROBABILITY, max(terms - 1, 1))) / NORMAL_QUANTILE
