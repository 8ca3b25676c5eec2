"""Standard errors of the scores over pairs of models, by a bootstrap over models.

Mutual information and the sign error are functions of pairs, so models are what is resampled: a resample gives model
a the multiplicity w_a, and a pair of different models the weight w_a w_b. A model's pair with its own copy, a tie
that nobody observed, counts nothing. The set of hyperparameters that the score is least under, and the environments
that are kept, stay those of the whole study.

Resamples of a mutual information centre above the score, since fewer distinct models fill the same cells; so they
give its standard error alone, and the interval is the score -+ Student's t times that, inside [0, 1]. That error
is too large rather than too small, for the same reason, and the intervals hold the true value too often.
"""

from dataclasses import dataclass

import numpy as np

from icc_cli.errors import UsageError
from icc_cli.ranking.student import quantile
from icc_cli.ranking.values import Floats

FEWEST = 100


@dataclass(frozen=True)
class Bootstrap:
    """How many resamples, the intervals' confidence in (0, 1), and the random generator's seed."""

    resamples: int
    confidence: float = 0.95
    seed: int = 0


def bootstrap_of(resamples: int, confidence: float, seed: int) -> Bootstrap | None:
    """The bootstrap asked for, None for 0 resamples; UsageError for too few to tell a standard error from."""
    if resamples and resamples < FEWEST:
        raise UsageError(f"--bootstrap {resamples} is too few: expected {FEWEST} resamples or more.", "Take 2000.")
    return Bootstrap(resamples, confidence, seed) if resamples else None


def multiplicities(models: int, bootstrap: Bootstrap) -> Floats:
    """(B, M) how often each model is in each resample of as many models."""
    random = np.random.default_rng(bootstrap.seed)
    drawn: Floats = random.multinomial(models, np.full(models, 1 / models), size=bootstrap.resamples).astype(np.float64)
    return drawn


def interval(score: float | None, resampled: Floats, models: int, confidence: float) -> list[float] | None:
    """[low, high] about a score in [0, 1] from its (B,) resamples, NaN where one is not defined; None without any."""
    known = resampled[~np.isnan(resampled)]
    if score is None or len(known) < 2 or models < 2:
        return None
    error = np.std(known, ddof=1) * np.sqrt(models / (models - 1))
    reach = quantile(np.array([models - 1.0]), (1 + confidence) / 2)[0] * error
    return [float(max(0.0, score - reach)), float(min(1.0, score + reach))]
