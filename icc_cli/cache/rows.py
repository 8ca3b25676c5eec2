"""Which samples the rows of a cache are, and their order."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """The samples of a split, in the order in which their rows come: `sample_id`, `labels`, `sublabels` (N,)."""

    sample_id: NDArray[np.int64]
    labels: NDArray[np.int64]
    sublabels: NDArray[np.int64] | None

    def order(self) -> NDArray[np.int64]:
        """Rows by class, then subclass, then sample: the order of a cache."""
        keys = [self.sample_id, *([] if self.sublabels is None else [self.sublabels]), self.labels]
        return np.lexsort(keys).astype(np.int64)

    def take(self, order: NDArray[np.int64]) -> "Rows":
        sublabels = None if self.sublabels is None else self.sublabels[order]
        return Rows(self.sample_id[order], self.labels[order], sublabels)
