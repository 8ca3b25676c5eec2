"""TwoNN: the dimension of the surface that samples lie on, from two neighbours of each (Facco et al. 2017)."""

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import BLOCK_BYTES, Array, Numbers, some_rows

MOST_ROWS = 10_000
"""Samples up to which all are taken, since time grows with their square."""
DRAWN_ROWS = 2_500
"""How many are drawn of more."""
SEED = 0
CANDIDATES = 3
"""Neighbours that a matrix product suggests, and whose distances are then computed from the differences."""
SHORT_ERROR = 1e-5
"""Share of the largest squared length by which a squared distance may be wrong in float32."""


def intrinsic_dimension(view: Features) -> float:
    """Slope through 0 of -log(1 - i/M) on the sorted log(r2/r1) of the M samples, over the lowest 90 %.

    r1 and r2 are the distances of a sample to its two nearest others, those at distance 0 left out. Of more than
    10,000 samples, 2,500 are drawn.
    """
    ratios = np.sort(neighbour_ratios(_rows(view)))
    kept = 9 * len(ratios) // 10
    x = np.log(ratios[:kept])
    y = -np.log1p(-np.arange(1, kept + 1) / len(ratios))
    if not x.any():
        raise Absent("every sample has two neighbours at one distance")
    return float(x @ y / (x @ x))


def neighbour_ratios(rows: Array) -> Array:
    """(N,) r2/r1 of each row of `rows` (N, n). Absent when fewer than three rows differ."""
    points, which, copies = _distinct(rows)
    if len(points) < 3:
        raise Absent("fewer than three samples differ")
    nearest, first, second = _two_nearest(points)
    # Another sample at the very place of the nearest one is as near.
    ratios = np.where(copies[nearest] > 1, 1.0, second / first)
    return ratios[which]


def _two_nearest(points: Array) -> tuple[NDArray[np.intp], Array, Array]:
    """The nearest of the others to each of `points` (N, n), all different: which it is (N,), how far away it is (N,),
    and how far the next (N,).

    Candidates are found in float32; where one that is none may be as near, for all that float32 can tell, in float64.
    """
    count = len(points)
    nearest, first, second = np.empty(count, np.intp), np.empty(count), np.empty(count)
    centred = points - points.mean(axis=0)
    largest = np.vecdot(centred, centred).max()
    short = (centred / np.sqrt(largest)).astype(np.float32)
    step = max(1, BLOCK_BYTES // (8 * max(count, CANDIDATES * points.shape[1])))
    for start in range(0, count, step):
        some = np.arange(start, min(start + step, count))
        near, beyond = _candidates(short, some)
        nearest[some], first[some], second[some] = _exactly(points, some, near)
        unsure = some[~(second[some] ** 2 < (beyond - SHORT_ERROR) * largest)]
        if len(unsure):
            near, _ = _candidates(centred, unsure)
            nearest[unsure], first[unsure], second[unsure] = _exactly(points, unsure, near)
    return nearest, first, second


def _candidates(points: Numbers, some: NDArray[np.intp]) -> tuple[NDArray[np.intp], Numbers]:
    """The nearest few to each of `some` points by a matrix product, and the squared distance of the next."""
    squared, each = np.vecdot(points, points), np.arange(len(some))
    apart = (-2 * points[some]) @ points.T
    apart += squared
    apart[each, some] = np.inf
    near = np.empty((len(some), min(CANDIDATES, len(points) - 1)), np.intp)
    for place in range(near.shape[1]):
        near[:, place] = apart.argmin(axis=1)
        apart[each, near[:, place]] = np.inf
    beyond: Numbers = apart.min(axis=1) + squared[some]
    return near, beyond


def _exactly(points: Array, some: NDArray[np.intp], near: NDArray[np.intp]) -> tuple[NDArray[np.intp], Array, Array]:
    """Of the candidates `near` each of `some` points which is the nearest, its distance, and the next one's."""
    gaps = points[near] - points[some, None]
    distances = np.sqrt(np.vecdot(gaps, gaps))
    order = np.argsort(distances, axis=1)[:, :2]
    first, second = np.take_along_axis(distances, order, axis=1).T
    return np.take_along_axis(near, order[:, :1], axis=1)[:, 0], first, second


def _distinct(rows: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """The rows that differ (m, n), which of them each row is (N,), and how many are of each (m,)."""
    found: dict[bytes, int] = {}
    which = np.array([found.setdefault(row.tobytes(), len(found)) for row in rows + 0.0])  # -0.0 is 0.0
    _, first, copies = np.unique(which, return_index=True, return_counts=True)
    return rows[first], which, copies


def _rows(view: Features) -> Array:
    count = view.shape[0]
    if count <= MOST_ROWS:
        return view.array()
    drawn = np.sort(np.random.default_rng(SEED).choice(count, DRAWN_ROWS, replace=False))
    return some_rows(view.site, drawn).astype(np.float64)


INTRINSIC_DIMENSION = Measure(
    "intrinsic_dimension",
    intrinsic_dimension,
    over="head",
    with_accuracy=0,
    symbol=r"$\mathrm{ID}$",
    fixed=(("most_rows", MOST_ROWS), ("drawn_rows", DRAWN_ROWS), ("seed", SEED)),
)
