"""Student's t against scipy's."""

import numpy as np
import pytest
from scipy.special import stdtr, stdtrit

from icc_cli.ranking.student import cdf, quantile

FREEDOM = np.array([1.0, 1.5, 2.0, 3.0, 5.5, 7.0, 30.0, 191.25, 5e3])


@pytest.mark.parametrize("t", [0.0, 0.3, -0.3, 1.0, -1.0, 2.5, -12.0, 40.0, -1e6, np.inf, -np.inf])
def test_cdf(t):
    assert cdf(FREEDOM, np.full(len(FREEDOM), t)) == pytest.approx(stdtr(FREEDOM, t), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize("t", [1e-12, 1e-8, 1e-3, 0.7, 30.0, -1e-8, -5.0])
def test_one_degree_of_freedom_is_cauchy(t):
    """Near 0, where scipy's own is off by 1e-9."""
    assert cdf(np.ones(1), np.array([t]))[0] == pytest.approx(0.5 + np.arctan(t) / np.pi, rel=1e-14)


@pytest.mark.parametrize("level", [0.5, 0.6, 0.9, 0.975, 0.9995, 0.025, 1e-6])
def test_quantile(level):
    assert quantile(FREEDOM, level) == pytest.approx(stdtrit(FREEDOM, level), rel=1e-9)


def test_nan_and_shapes():
    assert np.isnan(cdf(np.array([np.nan, 3.0]), np.array([1.0, np.nan]))).all()
    assert quantile(np.ones((2, 3)), 0.975).shape == (2, 3)
    assert cdf(np.ones((2, 1)), np.zeros(3)).tolist() == [[0.5] * 3] * 2


def test_no_degrees_of_freedom_are_no_number():
    """A measure without a value on two axes has none."""
    none = np.array([-1.0, 0.0, np.nan, np.inf])
    assert np.isnan(cdf(none, np.ones(4))).all() and np.isnan(quantile(none, 0.975)).all()
