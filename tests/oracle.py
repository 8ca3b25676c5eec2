"""A slow oracle for c1 to c4, written from the paper and the contract alone: loops and full distance matrices.

It imports nothing of `icc_cli`. Everywhere:

- `sites` is a list of (N, n) float32 pre-activations, one array per site, converted to float64 at once;
- `labels` is (N,) integers, `sublabels` (N,) integers or None; a subclass is a (class, sublabel) pair;
- a measure that is not defined is None.

Standard deviations are those of the population and are taken in two passes. Cosine distances between unit vectors
are taken as |u - v|^2 / 2, which is 1 - u . v without its cancellation, so that tight clusters can be judged too.
"""

import numpy as np
from sklearn.metrics import silhouette_samples

EPSILON = 1e-7  # added to the denominators of c1, c3 and c4, and to the sigma of c4's standardisation
TOUCHING = 1e-12  # a sample whose mean distances are both below this has silhouette 0


def mean_top(values, k):
    """Mean of the k largest of `values`, or of all of them where there are fewer."""
    return float(np.mean(sorted(values, reverse=True)[:k]))


def is_dead(column):
    """Whether a neuron's pre-activation is below 0 on every sample; one that touches 0 is alive."""
    return all(value < 0 for value in column)


def neurons(sites):
    """The columns of all the sites, in order, as float64."""
    columns = []
    for site in sites:
        site = np.asarray(site).astype(np.float64)
        for n in range(site.shape[1]):
            columns.append(site[:, n])
    return columns


def members_of_classes(labels):
    """The row numbers of each class that occurs."""
    return [np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()))]


def members_of_subclasses(labels, sublabels):
    """(rows of the subclass, rows of its class) for each subclass of each class that has two or more."""
    pairs = []
    for label in sorted(set(labels.tolist())):
        in_class = labels == label
        names = sorted(set(sublabels[in_class].tolist()))
        if len(names) < 2:
            continue
        for name in names:
            pairs.append((np.flatnonzero(in_class & (sublabels == name)), np.flatnonzero(in_class)))
    return pairs


# c1: selectivity for a subclass, neuron by neuron


def selectivities(sites, labels, sublabels):
    """For each subclass, the list of every neuron's (mu_C - mu_S\\C) / (sigma_C + sigma_S\\C + 1e-7); dead ones 0."""
    scores = []
    for subclass, superclass in members_of_subclasses(labels, sublabels):
        rest = np.setdiff1d(superclass, subclass)
        row = []
        for column in neurons(sites):
            if is_dead(column):
                row.append(0.0)
                continue
            gap = np.mean(column[subclass]) - np.mean(column[rest])
            row.append(gap / (np.std(column[subclass]) + np.std(column[rest]) + EPSILON))
        scores.append(row)
    return scores


def c1(sites, labels, sublabels, k=30):
    """Median over the subclasses of the mean of the k most selective neurons."""
    if sublabels is None:
        return None
    scores = selectivities(sites, labels, sublabels)
    return float(np.median([mean_top(row, k) for row in scores])) if scores else None


def c1_all_k(sites, labels, sublabels):
    """(neurons,) float64: c1 at k = 1, 2, ..."""
    if sublabels is None:
        return None
    scores = selectivities(sites, labels, sublabels)
    if not scores:
        return None
    count = len(neurons(sites))
    return np.array([np.median([mean_top(row, k) for row in scores]) for k in range(1, count + 1)])


# c2: silhouette of a subclass within its class, site by site


def cosine_distances(rows):
    """(N, N) float64 cosine distances; a zero row is at 1 from every other row and at 0 from itself."""
    norms = [np.sqrt(np.sum(row**2)) for row in rows]
    unit = np.array([row / norm if norm > 0 else row for row, norm in zip(rows, norms, strict=True)])
    distances = np.zeros((len(rows), len(rows)))
    for i in range(len(rows)):
        distances[i] = np.sum((unit - unit[i]) ** 2, axis=1) / 2
    for i, norm in enumerate(norms):
        if norm == 0:
            distances[i, :] = 1.0
            distances[:, i] = 1.0
    np.fill_diagonal(distances, 0.0)
    return distances


def silhouettes(distances, clusters):
    """(N,) silhouette of each sample: scikit-learn's, but 0 where both of its mean distances are below 1e-12."""
    names = sorted(set(clusters.tolist()))
    if len(names) == len(clusters):  # singletons only, which scikit-learn refuses
        return np.zeros(len(clusters))
    values = silhouette_samples(distances, clusters, metric="precomputed")
    for i, own in enumerate(clusters):
        mates = [j for j in range(len(clusters)) if clusters[j] == own and j != i]
        if not mates:
            assert values[i] == 0
            continue
        within = np.mean(distances[i, mates])
        nearest = min(np.mean(distances[i, clusters == name]) for name in names if name != own)
        if within < TOUCHING and nearest < TOUCHING:
            values[i] = 0.0
    return values


def site_silhouettes(site, labels, sublabels):
    """The mean silhouette at one site of each subclass, in the order of `members_of_subclasses`."""
    active = np.maximum(np.asarray(site).astype(np.float64), 0.0)
    means = []
    for superclass in members_of_classes(labels):
        clusters = sublabels[superclass]
        names = sorted(set(clusters.tolist()))
        if len(names) < 2:
            continue
        values = silhouettes(cosine_distances(active[superclass]), clusters)
        for name in names:
            means.append(np.mean(values[clusters == name]))
    return means


def c2(sites, labels, sublabels, layer_k=1):
    """Median over the subclasses of the mean of the layer_k best sites' silhouettes."""
    if sublabels is None:
        return None
    by_site = [site_silhouettes(site, labels, sublabels) for site in sites]
    if not by_site[0]:
        return None
    return float(np.median([mean_top(values, layer_k) for values in zip(*by_site, strict=True)]))


# c3: spread of a class against that of the data set, neuron by neuron


def spreads(sites, labels):
    """For each class, the list of every neuron's sigma_C / (sigma_D + 1e-7); dead ones 0."""
    scores = []
    for members in members_of_classes(labels):
        row = []
        for column in neurons(sites):
            row.append(0.0 if is_dead(column) else np.std(column[members]) / (np.std(column) + EPSILON))
        scores.append(row)
    return scores


def c3(sites, labels, k=30):
    """Mean over the classes of the mean of the k neurons that spread the class most."""
    return float(np.mean([mean_top(row, k) for row in spreads(sites, labels)]))


def c3_all_k(sites, labels):
    """(neurons,) float64: c3 at k = 1, 2, ..."""
    scores = spreads(sites, labels)
    count = len(neurons(sites))
    return np.array([np.mean([mean_top(row, k) for row in scores]) for k in range(1, count + 1)])


# c4: spread of the pairwise distances of a class against that of the data set, site by site


def active_percentile(alive, convention):
    """The percentile that is moved to 0: the paper's 75, or the released code's, which follows the live neurons."""
    if convention == "paper":
        return 75
    assert convention == "reference"
    return max(min(round(100 - 1000 / alive), 75), 0)


def percentile(values, q):
    """The q-th percentile, q whole, linearly interpolated at q (N - 1) / 100, a position taken in whole numbers.

    np.percentile takes it in binary, and misses samples that lie on it exactly: 0.58 * 50 is 28.999999999999996.
    """
    ordered = sorted(values)
    lower, hundredths = divmod(q * (len(ordered) - 1), 100)
    if hundredths == 0:
        return ordered[lower]
    return ordered[lower] + (ordered[lower + 1] - ordered[lower]) * hundredths / 100


def standardised_activations(site, convention):
    """(N, live neurons) float64: standardised over all samples, less the percentile, ReLU; None with no live neuron."""
    live = [column for column in neurons([site]) if not is_dead(column)]
    if not live:
        return None
    q = active_percentile(len(live), convention)
    columns = []
    for column in live:
        z = (column - np.mean(column)) / (np.std(column) + EPSILON)
        columns.append(np.maximum(z - percentile(z, q), 0.0))
    return np.stack(columns, axis=1)


def distance_spread(distances, convention):
    """Sigma: std of the distances over distinct pairs (paper), or over the full matrix, diagonal included."""
    if convention == "reference":
        return np.std(distances)
    if len(distances) < 2:
        return 0.0
    return np.std([distances[i, j] for i in range(len(distances)) for j in range(i)])


def smallest_whole_spread(sites, convention):
    """The smallest Sigma_D of the sites that have a live neuron: how well c4's ratios are conditioned."""
    active = [standardised_activations(site, convention) for site in sites]
    return min((distance_spread(cosine_distances(a), convention) for a in active if a is not None), default=1.0)


def c4(sites, labels, layer_k=1, convention="paper"):
    """Mean over the classes of two samples or more of the mean of the layer_k best Sigma_C / (Sigma_D + 1e-7)."""
    classes = [members for members in members_of_classes(labels) if len(members) >= 2]
    ratios = [[] for _ in classes]
    for site in sites:
        active = standardised_activations(site, convention)
        if active is None or not classes:
            continue
        distances = cosine_distances(active)
        whole = distance_spread(distances, convention)
        for row, members in zip(ratios, classes, strict=True):
            row.append(distance_spread(distances[np.ix_(members, members)], convention) / (whole + EPSILON))
    if not classes or not ratios[0]:
        return None
    return float(np.mean([mean_top(row, layer_k) for row in ratios]))


# everything at once


def measures(sites, labels, sublabels=None, k=30, layer_k=1, convention="paper"):
    """The four measures by name."""
    return {
        "c1": c1(sites, labels, sublabels, k),
        "c2": c2(sites, labels, sublabels, layer_k),
        "c3": c3(sites, labels, k),
        "c4": c4(sites, labels, layer_k, convention),
    }


def per_site(sites, labels, sublabels=None, site_k=5, convention="paper"):
    """For each site alone, how many neurons it has, how many are dead, and the four measures with k = site_k."""
    rows = []
    for site in sites:
        columns = neurons([site])
        counts = {"neurons": len(columns), "dead": sum(is_dead(column) for column in columns)}
        rows.append(counts | measures([site], labels, sublabels, site_k, 1, convention))
    return rows
