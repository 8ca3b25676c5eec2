"""How the default search spends its draws. Magnitudes m are compared by log m, natural, and accuracies are in 0..1."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bracket:
    """Of the walk that finds a magnitude near the crossing, with a few draws common to all magnitudes."""

    certain: float = 2.5
    """Standard errors between the mean accuracy and the target from which on the side is taken for certain."""
    least_spread: float = 0.04
    """Accuracy: the standard deviation of a draw, until there are draws enough to tell a larger one."""
    first_factor: float = 8.0
    """The magnitude is divided by this until accuracy is over the target: three such steps span what networks show."""
    last_factor: float = 1.7
    """Ratio of the bracket's ends at which it is narrow enough for what follows, which finds the rest cheaper."""
    random_draws: int = 4
    """Draws of one magnitude, at the most, under random perturbations; ascents hardly vary, and take one."""


@dataclass(frozen=True)
class Approximation:
    """Of sigma: stochastic approximation around the crossing, by draws that are used once."""

    first_fresh_draw: int = 1_000_000
    """Number of the first draw used once; those under it belong to the bracket."""
    half_step: float = 0.25
    """log m: a slope is taken between magnitudes so far on both sides. Draws from further off are left out of the
    estimate, since accuracy is not linear over more."""
    slope_reach: float = 0.12
    """log m: a slope is good for a crossing so near to where it was taken."""
    slope_error: float = 0.35
    """Relative standard error to which a slope is wanted: a wrong one costs draws, and no bias."""
    most_pairs: int = 96
    """Pairs of draws that one slope takes at the most."""
    least_draws: int = 16
    """Draws of a crossing at the least: a standard error of fewer says little."""
    most_draws: int = 16_384
    """Draws of a crossing at the most; a search that needs more has not converged."""


@dataclass(frozen=True)
class Secant:
    """Of alpha: a secant of few ascents, each of which is dear and hardly varies."""

    wanted: int = 3
    """Whole ascents near the target that an estimate is the mean of."""
    most_ascents: int = 16
    """Ascents in all, at the most; a search that needs more has not converged."""
    near: float = 0.03
    """Accuracy: how far from the target an ascent may end to give a term of the estimate."""
    far: float = 0.05
    """Accuracy: how far from the target an ascent may end to have a part in the slope. Further down an ascent is cut
    short, and its accuracy says only that it is under the target."""
    first_slope: float = 0.25
    """Accuracy by log m: taken until there are two ascents to tell."""
    least_slope: float = 0.03
    """Accuracy by log m: a fitted slope under this is noise, and is not believed."""
    least_distance: float = 0.04
    """log m: two ascents nearer to each other than this tell no slope."""
    most_step: float = 0.5
    """log m: the longest step along the slope from one side of the target."""


@dataclass(frozen=True)
class Schedule:
    """The three parts of the default search. What is chosen here changes the cost and the noise, not the answer."""

    bracket: Bracket = Bracket()
    approximation: Approximation = Approximation()
    secant: Secant = Secant()


DEFAULT = Schedule()
