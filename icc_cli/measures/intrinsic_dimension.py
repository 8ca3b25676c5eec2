"""TwoNN: the dimension of the surface that samples lie on, from two neighbours of each (Facco et al. 2017)."""

import random
from functools import cache

import numpy as np
from numpy.typing import NDArray

from icc_cli.measures.absent import Absent
from icc_cli.measures.declare import Measure
from icc_cli.measures.features import Features
from icc_cli.measures.site import BLOCK_BYTES, Array, Numbers, some_rows

MOST_ROWS = 10_000
"""Samples up to which all are taken, since time grows with their square."""
DRAWN_ROWS = 2_000
"""How many are drawn of more."""
SEED = 0
CANDIDATES = 2
"""Neighbours that a matrix product suggests, and whose distances are then computed from the differences."""
SHORT_ERROR = 1e-5
"""Share of the largest squared length by which a squared distance may be wrong in float32."""


def intrinsic_dimension(view: Features) -> float:
    """Slope through 0 of -log(1 - i/M) on the sorted log(r2/r1) of the M samples, over the lowest 90 %.

    r1 and r2 are the distances of a sample to its two nearest others, those at distance 0 left out. Of more than
    10,000 samples, 2,000 are drawn.
    """
    ratios = np.sort(neighbour_ratios(_rows(view)))
    kept = 9 * len(ratios) // 10
    x = np.log(ratios[:kept])
    y = -np.log1p(-np.arange(1, kept + 1) / len(ratios))
    if not x.any():
        raise Absent("every sample has two neighbours at one distance")
    return float(x @ y / (x @ x))


def neighbour_ratios(rows: Numbers) -> Array:
    """(N,) r2/r1 of each row of `rows` (N, n), float32 or float64. Absent when fewer than three rows differ."""
    points, which, copies = _distinct(rows)
    if len(points) < 3:
        raise Absent("fewer than three samples differ")
    nearest, first, second = _two_nearest(points)
    # Another sample at the very place of the nearest one is as near.
    ratios = np.where(copies[nearest] > 1, 1.0, second / first)
    return ratios[which]


def _two_nearest(points: Numbers) -> tuple[NDArray[np.intp], Array, Array]:
    """The nearest of the others to each of `points` (N, n), all different: which it is (N,), how far away it is (N,),
    and how far the next (N,).

    Candidates are found in float32; where one that is none may be as near, for all that float32 can tell, in float64.
    """
    count = len(points)
    found = np.empty(count, np.intp), np.empty(count), np.empty(count)
    mean = points.mean(axis=0, dtype=np.float64)
    near = points - mean.astype(points.dtype)
    scale = float(max(near.max(), -near.min()))
    near /= scale
    near = near.astype(np.float32, copy=False)
    largest = np.vecdot(near, near).max()
    beyond = _search(points, near, np.arange(count), found)
    unsure = np.flatnonzero(~((found[2] / scale) ** 2 < beyond - SHORT_ERROR * largest))
    if len(unsure):
        _search(points, points - mean, unsure, found)
    return found


def _search(
    points: Numbers, near: Numbers, which: NDArray[np.intp], found: tuple[NDArray[np.intp], Array, Array]
) -> Numbers:
    """Write what is `found` (N,) of `which` (m,) of `points`, from candidates by a matrix product of those `near` the
    same, up to a shift and a scale. The squared distance of the next candidate, in that scale: (m,)."""
    right = _with_column(near, np.vecdot(near, near))
    step = max(1, BLOCK_BYTES // (16 * max(len(points), CANDIDATES * points.shape[1])))
    apart = np.empty((min(step, len(which)), len(points)), near.dtype)  # one for all: a new one takes as long to get
    beyond = []
    for start in range(0, len(which), step):
        some = which[start : start + step]
        each = np.arange(len(some))
        products = np.matmul(_with_column(-2 * near[some], 1), right.T, out=apart[: len(some)])  # |q|^2 - 2 p.q
        products[each, some] = np.inf
        candidates = np.empty((len(some), min(CANDIDATES, len(points) - 1)), np.intp)
        for place in range(candidates.shape[1]):
            candidates[:, place] = products.argmin(axis=1)
            products[each, candidates[:, place]] = np.inf
        beyond.append(products.min(axis=1) + right[some, -1])
        for result, values in zip(found, _exactly(points, some, candidates), strict=True):
            result[some] = values
    return np.concatenate(beyond)


def _with_column(rows: Numbers, last: Numbers | int) -> Numbers:
    """`rows` (b, n) and one column more (b, n + 1)."""
    wider = np.empty((len(rows), rows.shape[1] + 1), rows.dtype)
    wider[:, :-1], wider[:, -1] = rows, last
    return wider


def _exactly(points: Numbers, some: NDArray[np.intp], near: NDArray[np.intp]) -> tuple[NDArray[np.intp], Array, Array]:
    """Of the candidates `near` each of `some` points which is the nearest, its distance, and the next one's."""
    own = points[some]
    gaps = (np.subtract(points[places], own, dtype=np.float64) for places in near.T)
    distances = np.sqrt(np.stack([np.vecdot(gap, gap) for gap in gaps], axis=1))
    order = np.argsort(distances, axis=1)[:, :2]
    first, second = np.take_along_axis(distances, order, axis=1).T
    return np.take_along_axis(near, order[:, :1], axis=1)[:, 0], first, second


def _distinct(rows: Numbers) -> tuple[Numbers, NDArray[np.intp], NDArray[np.intp]]:
    """The rows that differ (m, n), which of them each row is (N,), and how many are of each (m,)."""
    rows = rows + rows.dtype.type(0)  # -0.0 is 0.0
    bits = np.dtype(f"u{rows.dtype.itemsize}")
    marks = rows.view(bits) @ np.arange(1, 2 * rows.shape[1], 2, dtype=bits)  # the same of rows that are
    if len(set(marks.tolist())) == len(rows):
        return rows, np.arange(len(rows)), np.ones(len(rows), np.intp)
    found: dict[bytes, int] = {}
    which = np.array([found.setdefault(row.tobytes(), len(found)) for row in rows])
    _, first, copies = np.unique(which, return_index=True, return_counts=True)
    return rows[first], which, copies


@cache
def _drawn(count: int, rows: int) -> NDArray[np.intp]:
    return np.sort(random.Random(SEED).sample(range(count), rows))


def _rows(view: Features) -> Numbers:
    count = view.shape[0]
    rows = view.site.rows(0, count) if count <= MOST_ROWS else some_rows(view.site, _drawn(count, DRAWN_ROWS))
    return rows.astype(np.promote_types(rows.dtype, np.float32), copy=False)


INTRINSIC_DIMENSION = Measure(
    "intrinsic_dimension",
    intrinsic_dimension,
    over="head",
    with_accuracy=0,
    symbol=r"$\mathrm{ID}$",
    fixed=(("most_rows", MOST_ROWS), ("drawn_rows", DRAWN_ROWS), ("seed", SEED)),
)
