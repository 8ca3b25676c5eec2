"""What a measure over the head sees: features F (N, n), and statistics of their classes that are computed once."""

from functools import cached_property

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.deviations import Deviations, deviations, mean_of
from icc_cli.measures.directions import Clusters
from icc_cli.measures.site import Array, Numbers, Rectified
from icc_cli.measures.spectrum import Grams, grams
from icc_cli.measures.units import UnitRows
from icc_cli.measures.view import SiteView

RANK_TOLERANCE = 1e-10
"""Share of the largest singular value of the class means under which a direction does not count."""
NARROW = 512
"""Neurons up to which S_W is taken from the Gram matrices, and not along the directions between the classes alone."""


class Features(SiteView):
    """Features F (N, n): the inputs of the head, or a site's rectified activations. Rows are ordered by class.

    m_k are the means of the K classes, m their plain mean, Cov_k the population covariance of class k,
    S_W = (1/K) sum_k Cov_k, S_B = (1/K) sum_k (m_k - m)(m_k - m)'.
    """

    @cached_property
    def deviations(self) -> Deviations:
        """The rows less the mean of their class. FormatError when the features hold NaN or infinity."""
        found = deviations(self.site, self.classes)
        self.need_finite(found.means)
        return found

    @cached_property
    def mean(self) -> Array:
        """(n,) the mean of all rows."""
        return mean_of(self.deviations.means, [group.size for group in self.classes])

    @property
    def means(self) -> Array:
        """(K, n) the mean of each class. Absent when there is one class."""
        if len(self.classes) < 2:
            raise Absent("there is one class")
        return self.deviations.means

    @cached_property
    def centred_means(self) -> Array:
        """(K, n) m_k - m."""
        centred: Array = self.means - self.means.mean(axis=0)
        return centred

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
    def variances(self) -> Array:
        """(K,) the trace of each Cov_k."""
        return np.array([self.deviations.squares[group.rows].mean() for group in self.classes])

    @cached_property
    def distances(self) -> Array:
        """(K,) the mean distance of a class' rows to its mean."""
        return np.array([np.sqrt(self.deviations.squares[group.rows]).mean() for group in self.classes])

    @cached_property
    def within_over_between(self) -> float:
        """tr(S_W S_B^+): no pseudo-inverse is formed, since S_B is diagonal in the directions between the classes."""
        values, vectors = self.directions
        if self.shape[1] <= min(self.shape[0], NARROW):
            along = np.einsum("ij,ij->j", self.grams.within @ vectors, vectors)
        else:
            along = self._along(vectors)
        return float(np.sum(along / (values**2 / len(self.means))))

    def _along(self, vectors: Array) -> Array:
        """v' S_W v of each of some `vectors` (n, r): (r,)."""
        along: Array = np.zeros(vectors.shape[1])
        for number, group in enumerate(self.classes):
            for _, rows in self.deviations.of(number, group.rows):
                projected = _projected(rows, vectors)
                along += np.einsum("ij,ij->j", projected, projected) / group.size
        return along / len(self.classes)

    def units(self, number: int) -> UnitRows:
        """The rows of class `number` at unit length. What `unit_clusters` needs of them is kept."""
        found = UnitRows(self.site, self.classes[number])
        self._unit_clusters[number] = found.clusters
        return found

    @cached_property
    def unit_clusters(self) -> list[Clusters]:
        """Of each class, its subclasses' rows at unit length, its own where it has none; a zero row stays zero."""
        return [self._unit_clusters.get(number) or self.units(number).clusters for number in range(len(self.classes))]

    @cached_property
    def _unit_clusters(self) -> dict[int, Clusters]:
        return {}

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
