"""Everything that the measures take from one site: statistics first, from which any k and any mean follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icc_cli.errors import FormatError
from tests.measures.old import moments
from tests.measures.old.groups import ClassGroup
from tests.measures.old.layer_variance import layer_variance
from tests.measures.old.moments import Moments
from tests.measures.old.neuron_variance import class_variance
from tests.measures.old.selectivity import subclass_selectivity
from tests.measures.old.silhouette import subclass_silhouettes
from tests.measures.old.site import Array, Site, row_blocks


@dataclass(frozen=True)
class SiteScores:
    """One site's scores; `selectivity` (subclasses, n) and `variance` (classes, n) are of its n neurons."""

    name: str
    dead: int
    selectivity: Array
    variance: Array
    silhouettes: Array
    """(subclasses,)"""
    spreads: dict[int, float] | None
    """By class label; None when no neuron is alive."""

    @property
    def neurons(self) -> int:
        return int(self.variance.shape[1])


def site_scores(site: Site, classes: Sequence[ClassGroup], convention: str, threads: int = 1) -> SiteScores:
    """The scores of one site, whose rows are those of `classes`.

    Raises FormatError when the site holds NaN or infinity.
    """
    leaves, dead = leaf_moments(site, classes)
    groups = [moments.merged(parts) for parts in leaves]
    whole = moments.merged(groups)
    return SiteScores(
        site.name,
        int(dead.sum()),
        subclass_selectivity(leaves, dead),
        class_variance(groups, whole, dead),
        subclass_silhouettes(site, classes),
        layer_variance(site, classes, whole, dead, convention, threads),
    )


def leaf_moments(site: Site, classes: Sequence[ClassGroup]) -> tuple[list[list[Moments]], NDArray[np.bool_]]:
    """Moments of every leaf of every class, and which neurons are below 0 on every sample (n,).

    FormatError when the site holds NaN or infinity.
    """
    largest = np.full(site.shape[1], -np.inf)
    leaves = []
    for group in classes:
        parts = []
        for rows in group.leaves:
            blocks = []
            for block in row_blocks(site, rows):
                np.maximum(largest, block.max(axis=0), out=largest)
                blocks.append(moments.of_block(block))
            part = moments.merged(blocks)
            if not np.isfinite(part.mean).all():
                raise FormatError(
                    f"site {site.name} holds NaN or infinity.",
                    "The network diverged, or float16 storage overflowed.",
                )
            parts.append(part)
        leaves.append(parts)
    return leaves, largest < 0
