"""The totals that the paper prints are plain means of its axes, as far as two digits tell."""

import numpy as np
import pytest

from icc_cli.ranking.kendall import total

# One row for each printed row with all of its axes: lr, batch, wd, optimizer, dropout, augmentation, width, depth.
PRINTED = {
    "superclasses c1": ((0.88, 0.31, 0.38, 0.67, 0.96, 1.0, 0.81, 0.69), 0.71),
    "superclasses c2": ((0.86, 0.50, 0.67, 0.58, 0.99, 1.0, 0.38, 0.62), 0.70),
    "superclasses c3": ((0.88, 0.60, 0.46, 0.62, 0.81, 1.0, 0.81, 0.66), 0.73),
    "superclasses c4": ((0.89, 0.69, 0.62, 0.65, 0.86, 1.0, 0.44, 0.69), 0.73),
    "superclasses 1/sigma'": ((0.81, 0.51, 0.31, 0.69, 0.28, -0.58, 0.67, 0.61), 0.41),
    "superclasses 1/sigma''": ((0.86, 0.58, 0.17, 0.40, -0.05, 0.42, 0.69, 0.72), 0.47),
    "superclasses 1/alpha'": ((0.88, 0.94, 0.29, 0.26, 0.60, 0.08, -0.03, -0.09), 0.37),
    "superclasses 1/alpha''": ((0.85, 0.80, 0.48, 0.71, 0.16, -0.08, 0.08, 0.34), 0.42),
    "CIFAR-100 c3": ((0.94, 0.65, 0.62, 0.58, 1.0, 1.0, 1.0, 0.78), 0.82),
    "CIFAR-100 c4": ((0.93, 0.62, 0.62, 0.21, 1.0, 1.0, 0.91, 0.78), 0.76),
    "CIFAR-10 c3": ((0.92, 0.83, 0.67, 0.51, 0.92, 1.0, 1.0, 0.88), 0.84),
    "CIFAR-10 c4": ((0.86, 0.75, 0.33, 0.29, 0.92, 1.0, 0.54, 0.92), 0.70),
}


@pytest.mark.parametrize("row", PRINTED)
def test_total(row):
    axes, printed = PRINTED[row]
    # Each axis is rounded to two digits, and so is the total: .005 of either.
    assert total(np.array(axes)[:, None])[0] == pytest.approx(printed, abs=0.0101)
