"""Neural collapse (Papyan, Han & Donoho 2020): how far the classes are from points at the corners of a simplex.

m_k are the class means, m their plain mean, Cov_k the population covariance of class k, V_k its trace,
S_W = (1/K) sum_k Cov_k, S_B = (1/K) sum_k (m_k - m)(m_k - m)'.
"""

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import Array, Numbers
from icc_cli.measures.whole import Network

SHORT_ERROR = 1e-4
"""Share of a sample's squared distance from its class' mean; another that is nearer by less is found in float64."""


def nc1(view: Features) -> float:
    """tr(S_W S_B^+) / K, at least 0: variability inside the classes, over that between them."""
    return view.within_over_between / len(view.classes)


def nc1_quotient(view: Features) -> float:
    """tr S_W / tr S_B, at least 0."""
    between = float(np.mean(np.sum(view.centred_means**2, axis=1)))
    if between == 0:
        raise Absent("the means of all classes coincide")
    return float(view.variances.mean()) / between


def cdnv(view: Features) -> float:
    """Mean over k < l of (V_k + V_l) / (2 |m_k - m_l|^2), at least 0: the class-distance normalized variance.

    Galanti, Gyorgy & Hutter 2022.
    """
    k, l = np.triu_indices(len(view.means), 1)  # noqa: E741
    squared = view.squared_distances[k, l]
    if not squared.all():
        raise Absent("the means of two classes coincide")
    return float(np.mean((view.variances[k] + view.variances[l]) / (2 * squared)))


def nc2_norms(view: Features) -> float:
    """std_k / mean_k of |m_k - m|: 0 when all means are as far from the centre."""
    norms = np.linalg.norm(view.centred_means, axis=1)
    if not norms.any():
        raise Absent("the means of all classes coincide")
    return float(norms.std() / norms.mean())


def nc2_angles(view: Features) -> float:
    """Mean over k < l of |cos(m_k - m, m_l - m) + 1/(K - 1)|: 0 for a simplex."""
    count = len(view.means)
    norms = np.linalg.norm(view.centred_means, axis=1, keepdims=True)
    if not norms.all():
        raise Absent("the mean of a class is the mean of all")
    unit = view.centred_means / norms
    cosines = (unit @ unit.T)[np.triu_indices(count, 1)]
    return float(np.mean(np.abs(cosines + 1 / (count - 1))))


def nc3(network: Network) -> float:
    """|W_K/|W_K| - M/|M||_F, 0..2: the rows of the head's weight for the K classes against those of M, m_k - m."""
    means = network.features.centred_means
    weight = network.weight[[group.label for group in network.classes]]
    sizes = np.linalg.norm(weight), np.linalg.norm(means)
    if 0 in sizes:
        raise Absent("the head's weight is 0, or the means of all classes coincide")
    return float(np.linalg.norm(weight / sizes[0] - means / sizes[1]))


def nc4(network: Network) -> float:
    """Share of the samples whose nearest class mean (Euclid) is not the predicted class, 0..1."""
    features, predicted = network.features, network.predictions
    labels = np.array([group.label for group in network.classes])
    wrong = 0
    for number, group in enumerate(features.classes):
        centre = features.means[number]
        offsets = features.means - centre
        for piece, rows in features.deviations.of(number, group.rows):
            nearest, lead = _nearest(rows, offsets)
            if rows.dtype != np.float64:
                close = np.flatnonzero(~(lead >= SHORT_ERROR * features.deviations.squares[piece]))
                nearest[close], _ = _nearest(features.site.rows(piece.start, piece.stop)[close] - centre, offsets)
            wrong += int(np.sum(labels[nearest] != predicted[piece]))
    return wrong / len(predicted)


def _nearest(rows: Numbers, means: Array) -> tuple[NDArray[np.intp], Numbers]:
    """Which of `means` (K, n) is nearest to each of `rows` (b, n), and how much farther the next is, squared: (b,)."""
    lengths, each = np.vecdot(means, means), np.arange(len(rows))
    apart = rows @ (-2 * means.T).astype(rows.dtype)
    apart += lengths.astype(rows.dtype)
    nearest = apart.argmin(axis=1)
    least = apart[each, nearest]
    apart[each, nearest] = np.inf
    return nearest, apart.min(axis=1) - least


NC1 = Measure("nc1", nc1, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_1$")
NC1_QUOTIENT = Measure("nc1_quotient", nc1_quotient, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_1^q$")
CDNV = Measure("cdnv", cdnv, over="head", with_accuracy=0, symbol=r"$\mathrm{CDNV}$")
NC2_NORMS = Measure("nc2_norms", nc2_norms, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_2^n$")
NC2_ANGLES = Measure("nc2_angles", nc2_angles, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_2^a$")
NC3 = Measure("nc3", nc3, over="network", with_accuracy=0, symbol=r"$\mathrm{NC}_3$")
NC4 = Measure("nc4", nc4, over="network", with_accuracy=0, symbol=r"$\mathrm{NC}_4$")
