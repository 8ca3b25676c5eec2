"""The rows of a class at unit length, by subclass."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from icc_cli.measures.directions import Centred, centred, clusters, rectified
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.site import Rectified, Site, may_hold, short_blocks


class UnitRows:
    """(leaf, directions) of a class, a block of rows at a time, zero rows among them. Goes over them as often as asked,
    and computes a class that may be held but once. `clusters` says how they lie about the mean of each leaf."""

    def __init__(self, site: Site, group: ClassGroup) -> None:
        self._site, self._group = site, group
        self._held = list(self._computed()) if may_hold(site, group.size) else None
        sizes = np.array([rows.stop - rows.start for rows in group.leaves])
        self.clusters = clusters(self, sizes, site.shape[1])

    def _computed(self) -> Iterator[tuple[int, Centred]]:
        stored = self._site.site if isinstance(self._site, Rectified) else self._site
        for number, rows in enumerate(self._group.leaves):
            for block in short_blocks(stored, rows):
                given = block.astype if stored is self._site else partial(rectified, block)
                yield number, centred(given, block.dtype == np.float64, silent=True)

    def __iter__(self) -> Iterator[tuple[int, Centred]]:
        return self._computed() if self._held is None else iter(self._held)
