"""Student's t: what `scipy.special` has as stdtr and stdtrit, without an import that takes longer than a whole ranking.

    P(T < t) = 1 - I_x(f/2, 1/2)/2  for t > 0,  x = f/(f + t^2)

with f degrees of freedom and I the regularized incomplete beta function, by its continued fraction (Numerical Recipes,
6.4).
"""

import math
from collections.abc import Callable

import numpy as np

from icc_cli.ranking.values import Floats

TERMS = 400
"""Of the continued fraction, at the most; a few dozen are enough for a hundred degrees of freedom."""
TINY = 1e-300
CLOSE = 1e-15
STEP = 1e-10
"""Share of a quantile under which a step of Newton's is the last: the next would be the square of it."""
STEPS = 200


def cdf(freedom: Floats, t: Floats) -> Floats:
    """P(T < t) of Student's t, for arrays that broadcast, to about 1e-13 relative; NaN without positive freedom."""
    return _each(_cdf, freedom, t)


def quantile(freedom: Floats, level: Floats | float) -> Floats:
    """The t under which T lies with probability `level` in (0, 1): the inverse of `cdf`."""
    return _each(_quantile, freedom, level)


def _each(function: Callable[[float, float], float], freedom: Floats, value: Floats | float) -> Floats:
    """`function` of every pair; each distinct one once, since there are few."""
    pairs = np.stack(np.broadcast_arrays(np.asarray(freedom, np.float64), np.asarray(value, np.float64)))
    known: dict[tuple[float, float], float] = {}
    found = np.empty(pairs.shape[1:])
    flat = found.reshape(-1)
    for place, pair in enumerate(map(tuple, pairs.reshape(2, -1).T.tolist())):
        if not 0 < pair[0] < math.inf or math.isnan(pair[1]) or (function is _quantile and not 0 < pair[1] < 1):
            flat[place] = math.nan
            continue
        if pair not in known:
            known[pair] = function(*pair)
        flat[place] = known[pair]
    return found


def _cdf(freedom: float, t: float) -> float:
    if math.isinf(t):
        return float(t > 0)
    half = _beta(freedom / 2, 0.5, freedom / (freedom + t * t), t * t / (freedom + t * t)) / 2
    return 1 - half if t > 0 else half


def _quantile(freedom: float, level: float) -> float:
    if level == 0.5:
        return 0.0
    if level < 0.5:
        return -_quantile(freedom, 1 - level)
    found = 0.0
    while _cdf(freedom, further := 2 * found or 1.0) < level:
        found = further
    # From below, Newton's steps never go too far, since the distribution is concave there.
    scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    for _ in range(STEPS):
        density = math.exp(scale - (freedom + 1) / 2 * math.log1p(found * found / freedom))
        step = (level - _cdf(freedom, found)) / density
        found += step
        if step <= STEP * found:
            break
    return found


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b), the regularized incomplete beta function; `rest` is 1 - x, which x near 1 does not hold."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(b, a, rest, x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest))
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            value *= d * c
        if abs(d * c - 1) < CLOSE:
            break
    return value


def _away(value: float) -> float:
    """`value`, away from 0."""
    return value if abs(value) > TINY else TINY
