"""TwoNN: the dimension of the surface that samples lie on, from two neighbours of each (Facco et al. 2017)."""

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import BLOCK_BYTES, Array

MOST_ROWS = 10_000
"""Samples up to which all are taken, since time grows with their square."""
DRAWN_ROWS = 2_500
"""How many are drawn of more."""
SEED = 0
CANDIDATES = 4
"""Neighbours that a matrix product suggests, and whose distances are then computed from the differences."""


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
    points -= points.mean(axis=0)
    squared = np.einsum("ij,ij->i", points, points)
    count = min(CANDIDATES, len(points) - 1)
    ratios = np.empty(len(points))
    step = max(1, BLOCK_BYTES // (8 * max(len(points), count * points.shape[1])))
    for start in range(0, len(points), step):
        some = np.arange(start, min(start + step, len(points)))
        apart = squared - 2 * (points[some] @ points.T)
        apart[some - start, some] = np.inf
        near = np.argpartition(apart, count - 1, axis=1)[:, :count]
        gaps = points[near] - points[some, None]
        distances = np.sqrt(np.einsum("ijk,ijk->ij", gaps, gaps))
        order = np.argsort(distances, axis=1)[:, :2]
        first, second = np.take_along_axis(distances, order, axis=1).T
        # Another sample at the very place of the nearest one is as near.
        twice = copies[np.take_along_axis(near, order[:, :1], axis=1)[:, 0]] > 1
        ratios[some] = np.where(twice, 1.0, second / first)
    return ratios[which]


def _distinct(rows: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp]]:
    """The rows that differ (m, n), which of them each row is (N,), and how many are of each (m,)."""
    found: dict[bytes, int] = {}
    which = np.array([found.setdefault((row + 0.0).tobytes(), len(found)) for row in rows])  # -0.0 is 0.0
    _, first, copies = np.unique(which, return_index=True, return_counts=True)
    return rows[first], which, copies


def _rows(view: Features) -> Array:
    count = view.shape[0]
    if count <= MOST_ROWS:
        return view.array()
    drawn = np.sort(np.random.default_rng(SEED).choice(count, DRAWN_ROWS, replace=False))
    return np.concatenate([view.site.rows(row, row + 1) for row in drawn.tolist()]).astype(np.float64)


INTRINSIC_DIMENSION = Measure(
    "intrinsic_dimension",
    intrinsic_dimension,
    over="head",
    with_accuracy=0,
    symbol=r"$\mathrm{ID}$",
    fixed=(("most_rows", MOST_ROWS), ("drawn_rows", DRAWN_ROWS), ("seed", SEED)),
)
