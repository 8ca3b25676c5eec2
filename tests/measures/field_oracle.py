"""A slow oracle for the measures beside c1 to c4, from their definitions alone: loops, full matrices, every pair.

It imports nothing of `icc_cli`. Features F are (N, n) float64, `labels` and `sublabels` (N,); a class' number is its
column in logits and its row in the head's weight. What is not defined is None.
"""

import itertools
import math
from statistics import NormalDist

import numpy as np


def members(labels):
    return [np.flatnonzero(labels == label) for label in sorted(set(labels.tolist()))]


def class_means(F, labels):
    return np.array([F[rows].mean(axis=0) for rows in members(labels)])


def covariance(F):
    centred = F - F.mean(axis=0)
    return centred.T @ centred / len(F)


def trace_ratio(F, labels):
    """tr(S_W S_B^+): each class' deviations expressed in an orthonormal basis of the spread of the means."""
    groups = members(labels)
    K = len(groups)
    if K < 2:
        return None
    m = class_means(F, labels)
    _, s, Vt = np.linalg.svd(m - m.mean(axis=0), full_matrices=False)
    keep = [j for j in range(min(K - 1, len(s))) if s[j] > 1e-10 * s[0]]
    if not keep:
        return None
    total = 0.0
    for rows, mean in zip(groups, m, strict=True):
        for j in keep:
            total += np.mean(((F[rows] - mean) @ Vt[j]) ** 2) / K / (s[j] ** 2 / K)
    return total


def nc1(F, labels):
    found = trace_ratio(F, labels)
    return None if found is None else found / len(members(labels))


def traces(F, labels):
    return [float(np.trace(covariance(F[rows]))) for rows in members(labels)]


def nc1_quotient(F, labels):
    m = class_means(F, labels)
    between = np.mean([np.sum((mean - m.mean(axis=0)) ** 2) for mean in m])
    return float(np.mean(traces(F, labels)) / between) if len(m) > 1 and between else None


def cdnv(F, labels):
    m, V = class_means(F, labels), traces(F, labels)
    pairs = list(itertools.combinations(range(len(m)), 2))
    squared = [np.sum((m[k] - m[j]) ** 2) for k, j in pairs]
    if not pairs or not all(squared):
        return None
    return float(np.mean([(V[k] + V[j]) / (2 * d) for (k, j), d in zip(pairs, squared, strict=True)]))


def nc2_norms(F, labels):
    m = class_means(F, labels)
    norms = np.array([math.sqrt(np.sum((mean - m.mean(axis=0)) ** 2)) for mean in m])
    return float(norms.std() / norms.mean()) if len(m) > 1 and norms.any() else None


def nc2_angles(F, labels):
    m = class_means(F, labels)
    c = m - m.mean(axis=0)
    if len(m) < 2 or not all(np.any(row) for row in c):
        return None
    pairs = itertools.combinations(range(len(m)), 2)
    cosines = [c[k] @ c[j] / math.sqrt(c[k] @ c[k]) / math.sqrt(c[j] @ c[j]) for k, j in pairs]
    return float(np.mean([abs(cosine + 1 / (len(m) - 1)) for cosine in cosines]))


def nc3(F, labels, W):
    m = class_means(F, labels)
    M = m - m.mean(axis=0)
    WK = W[sorted(set(labels.tolist()))]
    if len(m) < 2 or not M.any() or not WK.any():
        return None
    return float(np.sqrt(np.sum((WK / np.sqrt(np.sum(WK**2)) - M / np.sqrt(np.sum(M**2))) ** 2)))


def nc4(F, labels, predictions):
    names, m = sorted(set(labels.tolist())), class_means(F, labels)
    if len(m) < 2:
        return None
    wrong = 0
    for row, predicted in zip(F, predictions, strict=True):
        wrong += names[int(np.argmin([np.sum((row - mean) ** 2) for mean in m]))] != predicted
    return wrong / len(F)


def unit(row):
    length = math.sqrt(row @ row)
    return row / length if length else row


def class_separation(F, labels):
    """Mean cosine distances over ordered pairs, self-pairs included; a zero row is at 1 from every row, itself too."""
    U = np.array([unit(row) for row in F])
    zero = ~U.any(axis=1)
    groups = members(labels)
    if len(groups) < 2:
        return None
    D = np.array([np.sum((U - u) ** 2, axis=1) / 2 for u in U])
    D[zero] = D[:, zero] = 1.0
    blocks = [[D[np.ix_(a, b)].mean() for b in groups] for a in groups]
    within, everything = np.mean(np.diag(blocks)), np.mean(blocks)
    return float(1 - within / everything) if everything > 1e-28 else None


def davies_bouldin(F, labels):
    groups, m = members(labels), class_means(F, labels)
    if len(m) < 2 or not np.any(m != m[0]):
        return None
    s = [np.mean([math.sqrt(np.sum((F[i] - mean) ** 2)) for i in rows]) for rows, mean in zip(groups, m, strict=True)]
    worst = []
    for k in range(len(m)):
        others = [j for j in range(len(m)) if j != k and np.any(m[k] != m[j])]
        worst.append(max([0.0, *((s[k] + s[j]) / math.sqrt(np.sum((m[k] - m[j]) ** 2)) for j in others)]))
    return float(np.mean(worst))


def participation_ratio(F):
    values = np.linalg.svd(F - F.mean(axis=0), compute_uv=False) ** 2
    return float(values.sum() ** 2 / np.sum(values**2)) if values.any() else None


def effective_rank(F):
    values = np.linalg.svd(F, compute_uv=False)
    if not values.any():
        return None
    p = values / values.sum()
    return float(np.exp(-sum(share * math.log(share) for share in p if share > 0)))


def intrinsic_dimension(F):
    ratios = []
    for i, row in enumerate(F):
        distances = sorted(np.sqrt(np.sum((np.delete(F, i, axis=0) - row) ** 2, axis=1)).tolist())
        r = [distance for distance in distances if distance > 0][:2]
        if len(r) < 2:
            return None
        ratios.append(r[1] / r[0])
    x, y = [], []
    for i, ratio in enumerate(sorted(ratios), 1):
        if 10 * i <= 9 * len(F):
            x.append(math.log(ratio))
            y.append(-math.log(1 - i / len(F)))
    return sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x) if any(x) else None


def class_selectivity(sites, labels):
    values = []
    for A in sites:
        for column in A.T:
            a = sorted(column[rows].mean() for rows in members(labels))
            if len(a) < 2:
                return None
            rest = sum(a[:-1]) / len(a[:-1])
            values.append((a[-1] - rest) / (a[-1] + rest) if a[-1] + rest else 0.0)
    return float(np.mean(values))


def bimodality_of(column):
    """The score of one class' values of one neuron."""
    x, best = sorted(column.tolist()), 0.0
    for i in range(1, len(x)):
        p = i / len(x)
        if x[i - 1] == x[i] or not 20 * i >= len(x) or not 20 * i <= 19 * len(x):
            continue
        low, high = np.array(x[:i]), np.array(x[i:])
        g = (high.mean() - low.mean()) / (high.std() + low.std() + 1e-7)
        z = NormalDist().inv_cdf(p)
        f = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        m_low, v_low = -f / p, 1 - z * f / p - (f / p) ** 2
        m_high, v_high = f / (1 - p), 1 + z * f / (1 - p) - (f / (1 - p)) ** 2
        best = max(best, g / ((m_high - m_low) / (math.sqrt(v_low) + math.sqrt(v_high))))
    return best


def bimodality(sites, labels, k):
    values = []
    for rows in members(labels):
        if len(rows) > 1:
            columns = [column for X in sites for column in X.astype(np.float64).T]
            scores = [0.0 if max(column) < 0 else bimodality_of(column[rows]) for column in columns]
            values.append(np.mean(sorted(scores)[::-1][:k]))
    return float(np.mean(values)) if values else None


def subclass_ncm(F, labels, sublabels):
    values = []
    for rows in members(labels):
        names = sorted(set(sublabels[rows].tolist()))
        if len(names) < 2:
            continue
        shares = []
        for name in names:
            own = [i for i in rows if sublabels[i] == name]
            if len(own) < 2:
                continue
            hits = 0
            for i in own:
                mine = F[[j for j in own if j != i]].mean(axis=0)
                others = [
                    F[[j for j in rows if sublabels[j] == other]].mean(axis=0) for other in names if other != name
                ]
                near = min(np.sum((F[i] - mean) ** 2) for mean in others)
                hits += np.sum((F[i] - mine) ** 2) < near * (1 - 1e-9)
            shares.append(hits / len(own))
        if shares:
            values.append((np.mean(shares) - 1 / len(names)) / (1 - 1 / len(names)))
    return float(np.mean(values)) if values else None


def subclass_hscore(F, labels, sublabels):
    centred = F - F.mean(axis=0)
    U, s, _ = np.linalg.svd(centred, full_matrices=False)
    keep = s**2 > 1e-10 * s[0] ** 2
    if not s.any():
        return None
    total = 0.0
    for label, name in sorted(set(zip(labels.tolist(), sublabels.tolist(), strict=True))):
        rows = (labels == label) & (sublabels == name)
        total += rows.sum() * np.sum(U[rows][:, keep].mean(axis=0) ** 2)
    return float(total)


def margin(Z, labels):
    if Z.shape[1] < 2:
        return None
    values = sorted(z[y] - max(np.delete(z, y)) for z, y in zip(Z, labels, strict=True))
    place = 0.1 * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return float(values[low] + (place - low) * (values[high] - values[low]))


def softmax(Z):
    return np.array([[math.exp(a - max(z)) / sum(math.exp(b - max(z)) for b in z) for a in z] for z in Z])


def confidence(Z):
    return float(np.mean([max(p) for p in softmax(Z)]))


def cross_entropy(Z, labels):
    return float(np.mean([math.log(sum(math.exp(a - z[y]) for a in z)) for z, y in zip(Z, labels, strict=True)]))


def ece(Z, labels):
    P, total = softmax(Z), 0.0
    for b in range(15):
        inside = [
            (max(p), int(np.argmax(p)) == y) for p, y in zip(P, labels, strict=True) if b / 15 < max(p) <= (b + 1) / 15
        ]
        if inside:
            gap = np.mean([right for _, right in inside]) - np.mean([sure for sure, _ in inside])
            total += len(inside) / len(Z) * abs(gap)
    return float(total)


def line(values):
    """(slope, R^2) of the values on 0, 1, ..., None among them passed over."""
    points = [(i, value) for i, value in enumerate(values) if value is not None]
    if len(points) < 2:
        return None, None
    x, y = np.array(points, dtype=float).T
    slope, offset = np.linalg.lstsq(np.stack([x, np.ones_like(x)], axis=1), y, rcond=None)[0]
    whole = np.sum((y - y.mean()) ** 2)
    return float(slope), float(1 - np.sum((y - slope * x - offset) ** 2) / whole) if whole else None
