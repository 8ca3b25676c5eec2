"""What a measure sees of one site: its rows, the classes they fall into, and statistics that are computed once."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import FormatError
from icc_cli.measures import moments
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.moments import Moments
from icc_cli.measures.site import Array, Site, neuron_blocks, resident, row_blocks, short_blocks, small

if TYPE_CHECKING:
    from icc_cli.measures.features import Features

DIVERGED = "The network diverged, or float16 storage overflowed."


class SiteView:
    """One site's pre-activations (N, n), rows ordered by class, then subclass.

    `classes` says which rows belong to each class and subclass; `convention` is `paper` or `reference`. Every
    statistic is computed when it is first asked for, and kept; `threads` is how many a measure may use. What is not
    here can be computed from `blocks`, `neurons` or, where memory allows, `array`.
    """

    def __init__(self, site: Site, classes: Sequence[ClassGroup], convention: str = "paper", threads: int = 1) -> None:
        self.name = site.name
        self.site = resident(site)
        self.classes = classes
        self.convention = convention
        self.threads = threads

    @property
    def shape(self) -> tuple[int, int]:
        """(N, n): samples and neurons."""
        return self.site.shape

    def blocks(self, rows: slice | None = None, whole: bool = False) -> Iterator[Array]:
        """The rows asked for, all by default, as float64 blocks (b, n) that may be written to; one block if `whole`."""
        return row_blocks(self.site, rows or slice(0, self.shape[0]), whole)

    def neurons(self, rows: slice | None = None) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        """(which neurons, their values (b, N), or in the rows asked for): a buffer that may be written to, good until
        the next."""
        return neuron_blocks(self.site, rows or slice(0, self.shape[0]))

    def array(self) -> Array:
        """The whole site (N, n) in float64, a copy."""
        return np.asarray(self.site.rows(0, self.shape[0]), dtype=np.float64).copy()

    def need_finite(self, means: Array) -> None:
        """FormatError when `means` of all rows show that the site holds NaN or infinity."""
        if not np.isfinite(means).all():
            raise FormatError(f"site {self.name} holds NaN or infinity.", DIVERGED)

    @cached_property
    def _leaves(self) -> tuple[list[list[Moments]], NDArray[np.bool_]]:
        largest = np.full(self.shape[1], -np.inf)
        leaves = []
        for group in self.classes:
            if small(self.site):
                (block,) = short_blocks(self.site, group.rows, whole=True)
                np.maximum(largest, block.max(axis=0), out=largest)
                parts = moments.of_leaves(block, group.leaf_sizes)
            else:
                parts = []
                for rows in group.leaves:
                    blocks = []
                    for block in short_blocks(self.site, rows):
                        np.maximum(largest, block.max(axis=0), out=largest)
                        blocks.append(moments.of_block(block))
                    parts.append(moments.merged(blocks))
            for part in parts:
                self.need_finite(part.mean)
            leaves.append(parts)
        return leaves, largest < 0

    @property
    def subclass_moments(self) -> list[list[Moments]]:
        """For each class, the moments of its subclasses; of the class itself where there are no subclasses.

        FormatError when the site holds NaN or infinity.
        """
        return self._leaves[0]

    @property
    def dead(self) -> NDArray[np.bool_]:
        """(n,) the neurons whose pre-activation is below 0 on every sample."""
        return self._leaves[1]

    @cached_property
    def class_moments(self) -> list[Moments]:
        """The moments of each class."""
        return [moments.merged(parts) for parts in self.subclass_moments]

    @cached_property
    def moments(self) -> Moments:
        """The moments of the whole data set."""
        return moments.merged(self.class_moments)

    @cached_property
    def features(self) -> "Features":
        """The activations max(x, 0), and what is known of their classes."""
        from icc_cli.measures.features import features_of

        return features_of(self)
