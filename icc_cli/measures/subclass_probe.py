"""Whether features that were trained on classes tell their subclasses apart."""

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import Array, Numbers
from icc_cli.measures.spectrum import VECTORS, principal

CUTOFF = 1e-10
"""Share of the covariance's largest singular value under which one is left out."""
TIE = 1e-12
"""A sample as near to another subclass as to its own, to rounding, is no hit."""
SHORT_ERROR = 1e-4
"""Lead, of a sample's squared length, under which it is computed in float64."""
TINY = 1e-300


def subclass_ncm(view: Features) -> Array:
    """Nearest subclass mean, above chance, in each class: (classes,), 1 when every sample is found, 0 for chance.

    The mean over subclasses of the share of their samples that lie nearer to their own mean, taken without the sample,
    than to that of any other subclass of the class, less chance (1 / subclasses), over 1 - chance. A class of one
    subclass is NaN; a subclass of one sample has no mean without it, and is left out.
    """
    _need_subclasses(view)
    return np.array(
        [
            _above_chance(view, number) if len(group.subclasses) > 1 else np.nan
            for number, group in enumerate(view.classes)
        ]
    )


def _above_chance(view: Features, number: int) -> float:
    """Distances are taken from the class' mean, so that they keep their digits where the class is tight."""
    group, centre = view.classes[number], view.deviations.means[number]
    means = view.deviations.leaf_means[number] - centre
    sizes = np.array([rows.stop - rows.start for rows in group.subclasses])
    own = np.repeat(np.arange(len(sizes)), sizes)
    several = sizes > 1
    shares = np.where(several, (sizes / np.maximum(sizes - 1, 1)) ** 2, 0)
    hits = np.zeros(len(sizes))
    for piece, block in view.deviations.of(number, group.rows):
        mine = own[piece.start - group.rows.start : piece.stop - group.rows.start]
        lead = _lead(block, view.deviations.squares[piece], means, mine, shares)
        if block.dtype != np.float64:
            close = np.flatnonzero(~(np.abs(lead) >= SHORT_ERROR))
            if len(close):
                exact = view.site.rows(piece.start, piece.stop)[close] - centre
                lead[close] = _lead(exact, np.vecdot(exact, exact), means, mine[close], shares)
        hits += np.bincount(mine[lead > TIE], minlength=len(sizes))
    if not several.any():
        return np.nan
    chance = 1 / len(sizes)
    return (float(np.mean(hits[several] / sizes[several])) - chance) / (1 - chance)


def _lead(rows: Numbers, squares: Array, means: Array, own: NDArray[np.intp], shares: Array) -> Array:
    """How much nearer `rows` (b, n) are to the mean `own` (b,) than to any other of `means` (S, n): (b,).

    The difference of the squared distances, that to `own` times its share (which takes the row out of its mean), over
    the squared lengths, of which its rounding is a share. `squares` (b,) are those of the rows.
    """
    lengths, each = np.vecdot(means, means), np.arange(len(rows))
    products = rows @ (-2 * means.T).astype(rows.dtype)
    apart = np.add(products.T, lengths[:, None], order="C")  # (S, b): the least of each column is found at once
    mine = (apart[own, each] + squares) * shares[own]
    apart[own, each] = np.inf
    lead: Array = (apart.min(axis=0) + squares - mine) / np.maximum(squares + lengths.max(), TINY)
    return lead


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
    for group, means in zip(view.classes, view.deviations.leaf_means, strict=True):
        for rows, mean in zip(group.subclasses, means, strict=True):
            size = rows.stop - rows.start
            if neurons <= count:
                along = (mean - view.mean) @ vectors / values
                total += size * float(along @ along)
            else:
                summed = vectors[rows].sum(axis=0)
                total += float(summed @ summed) / size
    return total


def _need_subclasses(view: Features) -> None:
    if not any(group.subclasses for group in view.classes):
        raise Absent("there are no subclasses")


SUBCLASS_NCM = Measure(
    "subclass_ncm", subclass_ncm, over="head", groups="classes", with_accuracy=0, symbol=r"$\mathrm{NCM}_s$"
)
SUBCLASS_HSCORE = Measure("subclass_hscore", subclass_hscore, over="head", with_accuracy=0, symbol=r"$H_s$")
