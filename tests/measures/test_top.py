"""The mean of the k best, with neurons that have no score."""

import numpy as np
import pytest

from icc_cli.measures.top import UNSCORED, keep_top, median, top_mean, top_means


def test_a_neuron_without_a_score_has_no_part():
    scores = np.array([[3.0, UNSCORED, 1.0, 2.0], [4.0, 4.0, 7.0, 6.0]])
    means = [[3, 7], [2.5, 6.5], [2, 17 / 3], [2, 21 / 4]]
    for k, expected in enumerate(means, 1):
        assert top_mean(scores, k) == pytest.approx(expected)
    assert top_means(scores) == pytest.approx(np.array(means).T)
    assert top_means(scores[1:]) == pytest.approx(np.array(means).T[1:])


def test_the_best_so_far_and_those_of_another_site():
    best = keep_top(np.array([[5.0, 1.0]]), np.array([[3.0, 4.0, 0.0]]), 3)
    assert sorted(best[0]) == [3, 4, 5]
    assert sorted(keep_top(None, np.array([[3.0, 4.0]]), None)[0]) == [3, 4]


@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (10,), (1, 4), (6, 3), (9, 2)])
def test_median_is_that_of_numpy(shape):
    values = np.random.default_rng(1).normal(size=shape)
    assert np.array_equal(median(values), np.median(values, axis=0))
