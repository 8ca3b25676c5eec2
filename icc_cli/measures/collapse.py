"""Neural collapse (Papyan, Han & Donoho 2020): how far the classes are from points at the corners of a simplex.

m_k are the class means, m their plain mean, Cov_k the population covariance of class k, V_k its trace,
S_W = (1/K) sum_k Cov_k, S_B = (1/K) sum_k (m_k - m)(m_k - m)'.
"""

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import Array
from icc_cli.measures.whole import Network


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
    centre, means = features.means.mean(axis=0), features.centred_means
    own = np.einsum("ij,ij->i", means, means)
    wrong = start = 0
    for block in features.blocks():
        nearest = _nearest(block - centre, means, own)
        wrong += int(np.sum(labels[nearest] != predicted[start : start + len(block)]))
        start += len(block)
    return wrong / len(predicted)


def _nearest(rows: Array, means: Array, own: Array) -> np.ndarray:
    found: np.ndarray = np.argmin(own - 2 * (rows @ means.T), axis=1)
    return found


NC1 = Measure("nc1", nc1, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_1$")
NC1_QUOTIENT = Measure("nc1_quotient", nc1_quotient, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_1^q$")
CDNV = Measure("cdnv", cdnv, over="head", with_accuracy=0, symbol=r"$\mathrm{CDNV}$")
NC2_NORMS = Measure("nc2_norms", nc2_norms, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_2^n$")
NC2_ANGLES = Measure("nc2_angles", nc2_angles, over="head", with_accuracy=0, symbol=r"$\mathrm{NC}_2^a$")
NC3 = Measure("nc3", nc3, over="network", with_accuracy=0, symbol=r"$\mathrm{NC}_3$")
NC4 = Measure("nc4", nc4, over="network", with_accuracy=0, symbol=r"$\mathrm{NC}_4$")
