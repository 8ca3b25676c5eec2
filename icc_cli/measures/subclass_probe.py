"""Whether features that were trained on classes tell their subclasses apart."""

import numpy as np

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.groups import ClassGroup
from icc_cli.measures.moments import Moments
from icc_cli.measures.site import Array, Numbers, short_blocks
from icc_cli.measures.spectrum import VECTORS, principal

CUTOFF = 1e-10
"""Share of the covariance's largest singular value under which one is left out."""
TIE = 1e-12
"""A sample as near to another subclass as to its own, to rounding, is no hit."""
SHORT_ERROR = 1e-4
"""Lead, of a sample's squared length, under which it is computed in float64."""


def subclass_ncm(view: Features) -> Array:
    """Nearest subclass mean, above chance, in each class: (classes,), 1 when every sample is found, 0 for chance.

    The mean over subclasses of the share of their samples that lie nearer to their own mean, taken without the sample,
    than to that of any other subclass of the class, less chance (1 / subclasses), over 1 - chance. A class of one
    subclass is NaN; a subclass of one sample has no mean without it, and is left out.
    """
    _need_subclasses(view)
    return np.array(
        [
            _above_chance(view, group, own) if len(own) > 1 else np.nan
            for group, own in zip(view.classes, view.subclass_moments, strict=True)
        ]
    )


def _above_chance(view: Features, group: ClassGroup, subclasses: list[Moments]) -> float:
    """Distances are taken from the class' mean, so that they keep their digits where the class is tight."""
    sizes = np.array([own.count for own in subclasses])
    centre = np.average([own.mean for own in subclasses], axis=0, weights=sizes)
    means = np.array([own.mean - centre for own in subclasses])
    shares = []
    for number, rows in enumerate(group.subclasses):
        size = int(sizes[number])
        if size < 2:
            continue
        share = (size / (size - 1)) ** 2
        hits = 0
        for block in short_blocks(view.site, rows):
            near: Numbers = centre.astype(block.dtype)
            with np.errstate(over="ignore", invalid="ignore"):  # beyond float32, no lead is known
                lead = _lead(block - near, means + (centre - near), number, share)
            if block.dtype != np.float64:
                close = np.flatnonzero(~(np.abs(lead) >= SHORT_ERROR))
                lead[close] = _lead(block[close] - centre, means, number, share)
            hits += int(np.sum(lead > TIE))
        shares.append(hits / size)
    if not shares:
        return np.nan
    chance = 1 / len(sizes)
    return (float(np.mean(shares)) - chance) / (1 - chance)


def _lead(rows: Numbers, means: Array, number: int, share: float) -> Array:
    """How much nearer `rows` (b, n) are to the mean `number` than to any other of `means` (S, n): (b,).

    The difference of the squared distances, that to `number` times `share` (which takes the row out of its mean), over
    the squared lengths, of which its rounding is a share.
    """
    near: Numbers = means.astype(rows.dtype)
    squared, norms = np.vecdot(near, near), np.vecdot(rows, rows)
    apart = norms[:, None] - 2 * (rows @ near.T) + squared
    apart[:, number] = np.inf
    own = rows - near[number]
    kind = np.finfo(rows.dtype)
    lead = apart.min(axis=1) - np.vecdot(own, own) * share
    return np.asarray(lead / np.maximum(norms + squared.max(), kind.tiny / kind.eps), np.float64)


def subclass_hscore(view: Features) -> float:
    """tr(pinv(cov F) cov(E[F | subclass])), 0..subclasses - 1 (Bao et al. 2019).

    Eigenvalues of cov F under 1e-10 of the largest are left out.
    """
    _need_subclasses(view)
    values, vectors = principal(view, view.grams.centred, centred=True, small=VECTORS)
    if values.max() == 0:
        raise Absent("all samples are the same")
    kept = values**2 > CUTOFF * values.max() ** 2
    values, vectors = values[kept], vectors[:, kept]
    count, neurons = view.shape
    total = 0.0
    for group, own in zip(view.classes, view.subclass_moments, strict=True):
        for rows, subclass in zip(group.subclasses, own, strict=True):
            if neurons <= count:
                along = (subclass.mean - view.moments.mean) @ vectors / values
                total += subclass.count * float(along @ along)
            else:
                summed = vectors[rows].sum(axis=0)
                total += float(summed @ summed) / subclass.count
    return total


def _need_subclasses(view: Features) -> None:
    if not any(group.subclasses for group in view.classes):
        raise Absent("there are no subclasses")


SUBCLASS_NCM = Measure(
    "subclass_ncm", subclass_ncm, over="head", groups="classes", with_accuracy=0, symbol=r"$\mathrm{NCM}_s$"
)
SUBCLASS_HSCORE = Measure("subclass_hscore", subclass_hscore, over="head", with_accuracy=0, symbol=r"$H_s$")
