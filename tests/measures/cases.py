"""Random pre-activations with the awkward things that real networks have, one builder a case.

Every builder takes a numpy generator and returns (sites, labels, sublabels), rows ordered by class, then subclass.
"""

import numpy as np


def grouped(sizes, class_names=None, sublabel_names=None):
    """(labels, sublabels) of `sizes`, a list per class of the sizes of its subclasses; names default to 0, 1, ..."""
    labels, sublabels = [], []
    for c, subclasses in enumerate(sizes):
        for s, size in enumerate(subclasses):
            labels += [class_names[c] if class_names else c] * size
            sublabels += [sublabel_names[s] if sublabel_names else sum(map(len, sizes[:c])) + s] * size
    return np.array(labels, dtype=np.int64), np.array(sublabels, dtype=np.int64)


def clustered(rng, labels, sublabels, n, noise=1.0, shift=0.0):
    """(N, n) float32: a centre per class, one per subclass around it, and noise."""
    site = np.empty((len(labels), n))
    for label in np.unique(labels):
        centre = rng.normal(size=n)
        for name in np.unique(sublabels[labels == label]):
            rows = (labels == label) & (sublabels == name)
            site[rows] = centre + 0.7 * rng.normal(size=n) + noise * rng.normal(size=(rows.sum(), n))
    return (site + shift).astype(np.float32)


def network(rng, labels, sublabels, widths=(20, 35, 7), **kwargs):
    """One clustered site per width."""
    return [clustered(rng, labels, sublabels, n, **kwargs) for n in widths]


def plain(rng):
    """Nothing odd."""
    labels, sublabels = grouped([[8, 15, 10], [9, 12, 11], [14, 7, 13]])
    return network(rng, labels, sublabels), labels, sublabels


def odd_neurons(rng):
    """Dead, constant, touching 0, dead in one class only, constant in one class, far from 0."""
    labels, sublabels = grouped([[8, 5], [9, 6], [11, 7]])
    sites = network(rng, labels, sublabels, widths=(14, 26))
    for site in sites:
        site[:, 0] = -np.abs(site[:, 0]) - 0.01  # dead
        site[:, 1] = -3.0  # dead and constant
        site[:, 2] = 0.1  # constant, alive
        site[:, 3] = 0.0  # constant, alive since 0 is not below 0
        site[:, 4] = -np.abs(site[:, 4]) - 0.01
        site[5, 4] = 0.0  # alive by one 0
        site[labels == 1, 5] = -np.abs(site[labels == 1, 5]) - 0.01  # silent in one class
        site[labels == 0, 6] = 1.7  # constant in one class
        site[:, 7] += 3e4  # far from 0: one-pass sums of squares lose digits
        site[:, 8] = 12345.678  # constant and far from 0
        site[:, 9] = -50.0  # dead, and far more selective than any other neuron
        site[labels == 2, 9] = -1.0
        site[(labels == 0) & (sublabels == 0), 9] = -1.0
    return sites, labels, sublabels


def only_negative_scores(rng):
    """One neuron that is worse than a dead one for some subclasses, and a dead one whose spread would be large."""
    labels, sublabels = grouped([[6, 6], [5, 8]])
    live = np.where(sublabels % 2 == 0, 1.0, 5.0)[:, None] + rng.normal(size=(len(labels), 2))
    dead = -np.abs(rng.normal(size=(len(labels), 1)) * np.where(labels == 0, 1, 9)[:, None]) - 1
    return [np.concatenate([live, dead], axis=1).astype(np.float32)], labels, sublabels


def zero_rows(rng):
    """Samples that activate nothing: some here and there, one whole subclass, one whole class."""
    labels, sublabels = grouped([[8, 15, 10], [9, 6], [5, 7], [6, 8]])
    sites = network(rng, labels, sublabels, widths=(12, 25))
    for site in sites:
        silent = rng.random(len(labels)) < 0.2
        silent |= sublabels == 1
        silent |= labels == 2
        site[silent] = -np.abs(site[silent]) - 0.01
    return sites, labels, sublabels


def singletons(rng):
    """Subclasses of one sample, a class of nothing else, and a subclass that is a pair."""
    labels, sublabels = grouped([[1, 7, 5], [1, 1, 1], [1, 9], [2, 1, 3]])
    return network(rng, labels, sublabels), labels, sublabels


def unequal_classes(rng):
    """Classes of 1, 2, 3, 40 and 300 samples."""
    labels, sublabels = grouped([[1], [1, 1], [1, 2], [25, 15], [3, 280, 17]])
    return network(rng, labels, sublabels, widths=(9, 18)), labels, sublabels


def one_subclass(rng):
    """Two classes with one subclass each beside two with more."""
    labels, sublabels = grouped([[12], [6, 9], [8], [5, 7, 4]])
    return network(rng, labels, sublabels), labels, sublabels


def no_second_subclass(rng):
    """No class has two subclasses: c1 and c2 are not defined."""
    labels, sublabels = grouped([[12], [9], [8]])
    return network(rng, labels, sublabels), labels, sublabels


def one_class(rng):
    """One class is the data set: Sigma_C is Sigma_D."""
    labels, sublabels = grouped([[12, 9, 15]])
    return network(rng, labels, sublabels), labels, sublabels


def classes_of_one(rng):
    """Every class has one sample: c4 is not defined, and c3 is 0."""
    labels, sublabels = grouped([[1], [1], [1], [1], [1]])
    return [rng.normal(size=(5, n)).astype(np.float32) for n in (6, 9)], labels, sublabels


def one_sample(rng):
    """A data set of one row."""
    labels, sublabels = grouped([[1]])
    return [np.abs(rng.normal(size=(1, 4))).astype(np.float32)], labels, sublabels


def dead_sites(rng):
    """A site with no live neuron, one with one, one with constants only."""
    labels, sublabels = grouped([[8, 5], [9, 6], [1], [7]])
    sites = network(rng, labels, sublabels, widths=(10, 6, 12, 4))
    sites[0] = -np.abs(sites[0]) - 0.1
    sites[1][:, 1:] = -np.abs(sites[1][:, 1:]) - 0.1
    sites[3][:] = [0.3, 1.0, 0.0, 2.7]
    return sites, labels, sublabels


def all_dead(rng):
    """No live neuron anywhere."""
    labels, sublabels = grouped([[8, 5], [9, 6]])
    sites = [-np.abs(site) - 0.1 for site in network(rng, labels, sublabels, widths=(10, 6))]
    return sites, labels, sublabels


def duplicates(rng):
    """Rows repeated within a subclass, across subclasses, across classes; a subclass and a class that are one point."""
    labels, sublabels = grouped([[8, 6, 7], [9, 6], [5, 7], [6, 6]])
    sites = network(rng, labels, sublabels, widths=(12, 25))
    for site in sites:
        site[1:4] = site[0]
        site[9] = site[0]
        site[30] = site[0]
        site[sublabels == 2] = site[sublabels == 2][0]
        site[labels == 2] = site[labels == 2][0]
        site[sublabels == 7] = np.abs(site[sublabels == 7][0])
        site[sublabels == 8] = 2 * site[sublabels == 7][0]  # same direction: distances of 0 across subclasses
    return sites, labels, sublabels


def silent_duplicates(rng):
    """A class whose rows are zero but for one: distances of 1 and 0 only."""
    labels, sublabels = grouped([[4, 5], [6, 6]])
    sites = network(rng, labels, sublabels, widths=(12, 25))
    for site in sites:
        site[labels == 0] = -1.0
        site[2] = np.abs(site[2]) + 0.1
    return sites, labels, sublabels


def scales(rng):
    """Sites and neurons from 1e-30 to 1e30; at 1e-7 and below the epsilon of the denominators counts."""
    labels, sublabels = grouped([[8, 15, 10], [9, 6], [5, 7]])
    sites = network(rng, labels, sublabels, widths=(10, 10, 10, 10, 10, 16))
    for site, scale in zip(sites, (1e-30, 1e-8, 1e-6, 1e6, 1e30), strict=False):
        site *= np.float32(scale)
    sites[5] *= (10.0 ** np.linspace(-9, 9, 16)).astype(np.float32)
    return sites, labels, sublabels


def far_from_zero(rng):
    """A mean a million times the spread of its neuron, which float32 still holds."""
    labels, sublabels = grouped([[8, 15, 10], [9, 6], [5, 7]])
    sites = network(rng, labels, sublabels, widths=(12, 25))
    return [(16 * site + 2.0**23).astype(np.float32) for site in sites], labels, sublabels


def tight_clusters(rng):
    """Classes and subclasses that have almost collapsed, as in the last layers of a trained network."""
    labels, sublabels = grouped([[8, 15, 10], [9, 6], [5, 7]])
    sites = [clustered(rng, labels, sublabels, n, noise=noise) for n, noise in ((20, 1e-3), (30, 1e-4), (40, 1e-5))]
    return sites, labels, sublabels


def tight_classes(rng):
    """Every sample of a class at one point but for a little noise, subclasses too."""
    labels, sublabels = grouped([[8, 15, 10], [9, 6], [5, 7]])
    sites = [clustered(rng, labels, labels, n, noise=noise) for n, noise in ((20, 1e-2), (30, 1e-3))]
    return sites, labels, sublabels


def wide(rng):
    """Far fewer samples than neurons."""
    labels, sublabels = grouped([[3, 4], [2, 5], [6, 3]])
    return network(rng, labels, sublabels, widths=(300, 90)), labels, sublabels


def narrow(rng):
    """Far more samples than neurons, down to one neuron."""
    labels, sublabels = grouped([[30, 40], [50, 20, 25], [33]])
    return network(rng, labels, sublabels, widths=(1, 2, 3)), labels, sublabels


def as_many_samples_as_neurons(rng):
    """N = n at one site, one more and one fewer at the others."""
    labels, sublabels = grouped([[8, 5], [9, 6]])
    return network(rng, labels, sublabels, widths=(28, 27, 29)), labels, sublabels


def reference_widths(rng):
    """Sites about the widths at which the released code's percentile changes: 0, then rounded, then 75."""
    labels, sublabels = grouped([[8, 5], [9, 6], [11, 12]])
    sites = network(rng, labels, sublabels, widths=(5, 10, 11, 12, 15, 16, 23, 39, 40, 41, 90))
    for site in sites[5:]:
        site[:, ::7] = -np.abs(site[:, ::7]) - 0.01  # the count is of live neurons
    return sites, labels, sublabels


def repeated_sublabels(rng):
    """The same sublabels in every class: a subclass is a pair."""
    labels, sublabels = grouped([[8, 5], [9, 6, 4], [7, 10]], sublabel_names=[0, 1, 2])
    return network(rng, labels, sublabels), labels, sublabels


def numbers_with_gaps(rng):
    """Class and subclass numbers that are neither contiguous nor small, and that meet across a class boundary."""
    labels, sublabels = grouped([[8, 5], [9, 6], [7, 10]], class_names=[3, 10, 2**31 - 1], sublabel_names=[5, 2**30])
    sublabels[(labels == 10) & (sublabels == 5)] = 2  # class 10 has 2 and 2**30, which also ends class 3
    return network(rng, labels, sublabels), labels, sublabels


def tied_scores(rng):
    """Copies of a neuron, within and across sites."""
    labels, sublabels = grouped([[8, 5], [9, 6]])
    sites = network(rng, labels, sublabels, widths=(9, 9))
    sites[0][:, 3:6] = sites[0][:, :1]
    sites[1][:] = sites[0]
    return sites, labels, sublabels


def integers(rng):
    """Small whole numbers: ties at the percentile, many zeros, many equal rows."""
    labels, sublabels = grouped([[18, 25, 20], [29, 16], [15, 27, 11]])
    return [rng.integers(-3, 3, size=(len(labels), n)).astype(np.float32) for n in (4, 12, 30)], labels, sublabels


def many_rows(rng):
    """More rows than small blocks hold, in groups that no block size divides."""
    labels, sublabels = grouped([[101, 57, 3], [89, 130], [1, 211], [97, 98]])
    return network(rng, labels, sublabels, widths=(13, 40)), labels, sublabels


CASES = {
    case.__name__: case
    for case in (
        plain,
        odd_neurons,
        only_negative_scores,
        zero_rows,
        singletons,
        unequal_classes,
        one_subclass,
        no_second_subclass,
        one_class,
        classes_of_one,
        one_sample,
        dead_sites,
        all_dead,
        duplicates,
        silent_duplicates,
        scales,
        far_from_zero,
        tight_clusters,
        tight_classes,
        wide,
        narrow,
        as_many_samples_as_neurons,
        reference_widths,
        repeated_sublabels,
        numbers_with_gaps,
        tied_scores,
        integers,
        many_rows,
    )
}
