"""scikit-learn's handwritten digits: 1,797 real 8 x 8 images, shipped with the package."""

import numpy as np

from icc_cli.data.dataset import Dataset, Split
from icc_cli.errors import DataError

SUPERCLASS_OF_DIGIT = (0, 1, 2, 2, 1, 2, 0, 1, 0, 0)
SUPERCLASSES = ("loops", "straights", "curves")
TEST_EVERY = 2
"""Every second image of each digit is a test image."""


def load() -> Dataset:
    """The digits as subclasses of three superclasses by shape: loops 0 6 8 9, straights 1 4 7, curves 2 3 5."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits come with scikit-learn.", "Install icc-cli[digits].") from error
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    digits = bunch.target.astype(np.int64)
    labels = np.array(SUPERCLASS_OF_DIGIT)[digits]
    test = np.zeros(len(digits), bool)
    for digit in range(10):
        test[np.flatnonzero(digits == digit)[::TEST_EVERY]] = True

    def split(rows: np.ndarray) -> Split:
        return Split(images[rows], labels[rows], digits[rows])

    return Dataset(
        spec="digits",
        train=split(~test),
        test=split(test),
        label_names=SUPERCLASSES,
        sublabel_names=tuple(str(digit) for digit in range(10)),
        mean=(0.3053,),
        std=(0.3760,),
    )
