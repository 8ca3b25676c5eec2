"""What a measure over the head sees: features F (N, n), and statistics of their classes that are computed once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.absent import Absent
from icc_cli.measures.directions import Clusters, centred, clusters
from icc_cli.measures.moments import SMALLEST
from icc_cli.measures.site import Array, Numbers, Site, short_blocks, some_rows
from icc_cli.measures.spectrum import Grams, grams
from icc_cli.measures.view import SiteView

RANK_TOLERANCE = 1e-10
"""Share of the largest singular value of the class means under which a direction does not count."""


@dataclass(frozen=True)
class Rectified:
    """The activations max(x, 0) of a site of pre-activations."""

    site: Site

    @property
    def name(self) -> str:
        return self.site.name

    @property
    def shape(self) -> tuple[int, int]:
        return self.site.shape

    def rows(self, start: int, stop: int) -> NDArray[np.floating]:
        rows: NDArray[np.floating] = np.maximum(self.site.rows(start, stop), 0)
        return rows


@dataclass(frozen=True)
class Scatter:
    """How the samples lie about the means of their classes."""

    distances: Array
    """(K,) mean distance of a class' samples to its mean"""
    along: Array
    """(r,) v' S_W v for each of the directions v between the classes"""


class Features(SiteView):
    """Features F (N, n): the inputs of the head, or a site's rectified activations. Rows are ordered by class.

    m_k are the means of the K classes, m their plain mean, Cov_k the population covariance of class k,
    S_W = (1/K) sum_k Cov_k, S_B = (1/K) sum_k (m_k - m)(m_k - m)'.
    """

    def some(self, rows: NDArray[np.intp]) -> Numbers:
        """The rows of these numbers (m, n)."""
        if isinstance(self.site, Rectified):
            rectified: Numbers = np.maximum(some_rows(self.site.site, rows), 0)
            return rectified
        return some_rows(self.site, rows)

    @cached_property
    def means(self) -> Array:
        """(K, n) the mean of each class. Absent when there is one class."""
        if len(self.classes) < 2:
            raise Absent("there is one class")
        return np.array([group.mean for group in self.class_moments])

    @cached_property
    def centred_means(self) -> Array:
        """(K, n) m_k - m."""
        centred: Array = self.means - self.means.mean(axis=0)
        return centred

    @cached_property
    def variances(self) -> Array:
        """(K,) the trace of each Cov_k."""
        return np.array([group.m2.sum() / group.count for group in self.class_moments])

    @cached_property
    def squared_distances(self) -> Array:
        """(K, K) |m_k - m_l|^2, from the differences themselves."""
        means = self.means
        squared = np.zeros((len(means), len(means)))
        for k in range(len(means) - 1):
            gaps = means[k + 1 :] - means[k]
            squared[k, k + 1 :] = squared[k + 1 :, k] = np.einsum("ij,ij->i", gaps, gaps)
        return squared

    @cached_property
    def directions(self) -> tuple[Array, Array]:
        """The singular values (r,) of the centred means, and their right singular vectors (n, r); r is at most K - 1.

        Absent when all means coincide.
        """
        _, values, vectors = np.linalg.svd(self.centred_means, full_matrices=False)
        values, vectors = values[: len(self.means) - 1], vectors[: len(self.means) - 1]
        kept = values > RANK_TOLERANCE * values[0]
        if not kept.any():
            raise Absent("the means of all classes coincide")
        return values[kept], vectors[kept].T

    @cached_property
    def scatter(self) -> Scatter:
        """One more pass over the rows, centred on their class."""
        _, vectors = self.directions
        distances, along = [], np.zeros(vectors.shape[1])
        fits = SMALLEST < self.variances.max() < 1 / SMALLEST  # squares do, in float32
        for group, own in zip(self.classes, self.class_moments, strict=True):
            total, squares = 0.0, np.zeros(vectors.shape[1])
            for block in short_blocks(self.site, group.rows) if fits else self.blocks(group.rows):
                near = own.mean.astype(block.dtype)
                rows = block - near
                rows -= (own.mean - near).astype(block.dtype)
                total += float(np.sqrt(np.einsum("ij,ij->i", rows, rows)).sum(dtype=np.float64))
                projected = _projected(rows, vectors)
                squares += np.einsum("ij,ij->j", projected, projected)
            distances.append(total / own.count)
            along += squares / own.count / len(self.classes)
        return Scatter(np.array(distances), along)

    @property
    def within_over_between(self) -> float:
        """tr(S_W S_B^+): no pseudo-inverse is formed, since S_B is diagonal in the directions between the classes."""
        values, _ = self.directions
        return float(np.sum(self.scatter.along / (values**2 / len(self.means))))

    @cached_property
    def unit_clusters(self) -> Clusters:
        """The classes' rows at unit length; a zero row stays zero."""
        parts = (
            (number, centred(block.astype, block.dtype == np.float64, silent=True))
            for number, group in enumerate(self.classes)
            for block in short_blocks(self.site, group.rows)
        )
        return clusters(parts, np.array([group.size for group in self.classes]), self.shape[1])

    @cached_property
    def grams(self) -> Grams:
        """The Gram matrices of F, and of F less its mean."""
        return grams(self)


def _projected(rows: Numbers, vectors: Array) -> Array:
    """`rows` @ `vectors` (b, r) for vectors in float64, whatever the rows are in."""
    near: Numbers = vectors.astype(rows.dtype)
    projected: Array = (rows @ near).astype(np.float64)
    if rows.dtype != np.float64:
        projected += rows @ (vectors - near).astype(rows.dtype)
    return projected


def features_of(view: SiteView) -> Features:
    """The rectified activations of a site."""
    return Features(Rectified(view.site), view.classes, view.convention, view.threads)
