"""The directions of rows, their unit vectors u, about their mean: what c2 and c4 and their like are sums of.

float32 takes half the time of float64, and does as well where the rows are some way apart. Where they are so close
that its rounding would show, or too long or too short for its squares, float64 is taken: see `centred`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from icc_cli.measures.site import Array, Numbers

TIGHT = 1e-3
"""Mean squared distance of unit rows from their mean from which float32 tells them apart to seven digits."""
SHORTEST = 1e-25
"""Squared length from which float32 has its full precision."""


@dataclass(frozen=True)
class Centred:
    """Unit rows about their mean: `mean` (n,), `rows` v = u - mean (M, n) float32 or float64, `squares` v.v (M,).

    `silent` says which of the rows given had no direction, being 0: they are among `rows` as u = 0, or left out.
    """

    mean: Array
    rows: Numbers
    squares: Array
    silent: NDArray[np.bool_]

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def zeros(self) -> int:
        return int(self.silent.sum())


def centred(activations: Callable[[DTypeLike], Numbers], exact: bool, silent: bool) -> Centred:
    """The directions of `activations`, which gives (M, n), to be overwritten, in the precision that it is asked for.

    `exact` asks for float64 at once; `silent` says whether rows of 0 are kept.
    """
    found = None if exact else _centred(activations(np.float32), silent)
    return found or _exactly(activations(np.float64), silent)


def rectified(block: Numbers, dtype: DTypeLike) -> Numbers:
    """max(block, 0), a new array of this type."""
    found: Numbers = np.maximum(block, 0, dtype=dtype)
    return found


@dataclass(frozen=True)
class Clusters:
    """Of each of S groups of `sizes` (S,) rows, the mean direction, `means` (S, n), the sum of squared distances
    from it, `scatters` (S,), and the number of rows of 0, `silent` (S,)."""

    sizes: NDArray[np.intp]
    means: Array
    scatters: Array
    silent: Array

    def together(self) -> "Clusters":
        """All of them as one."""
        mean = np.average(self.means, axis=0, weights=self.sizes)
        apart = np.sum((self.means - mean) ** 2, axis=1)
        scatter = np.sum(self.scatters + self.sizes * apart)
        return Clusters(self.sizes.sum(keepdims=True), mean[None], scatter[None], self.silent.sum(keepdims=True))


def clusters(parts: Iterable[tuple[int, Centred]], sizes: NDArray[np.intp], neurons: int) -> Clusters:
    """The groups of so many rows each, from parts (number of the group, directions with the rows of 0 among them)."""
    means, scatters, silent = np.zeros((len(sizes), neurons)), np.zeros(len(sizes)), np.zeros(len(sizes))
    seen = np.zeros(len(sizes))
    for own, part in parts:
        step = part.mean - means[own]
        share = part.count / (seen[own] + part.count)
        scatters[own] += part.squares.sum() + seen[own] * share * (step @ step)
        means[own] += share * step
        silent[own] += part.zeros
        seen[own] += part.count
    return Clusters(sizes, means, scatters, silent)


def _centred(rows: Numbers, silent: bool) -> Centred | None:
    """In float32; None where that is not enough."""
    lengths = np.einsum("ij,ij->i", rows, rows)
    beyond = ~((lengths > SHORTEST) & (lengths < np.inf))
    if beyond.any() and rows[beyond].any():
        return None
    found = _about_mean(rows, lengths, beyond, silent)
    return None if found.squares.sum() < TIGHT * found.count else found


def _exactly(rows: Numbers, silent: bool) -> Centred:
    lengths = np.einsum("ij,ij->i", rows, rows)
    return _about_mean(rows, lengths, lengths == 0, silent)


def _about_mean(rows: Numbers, lengths: Numbers, zero: NDArray[np.bool_], silent: bool) -> Centred:
    """`lengths` are the squared ones; rows where they are `zero` are kept if `silent`. `rows` are overwritten."""
    weights: Numbers = 1 / np.sqrt(np.where(zero, 1, lengths))
    if not silent and zero.any():
        rows, weights = _without(zero, rows, weights)
    mean: Numbers = weights @ rows / max(len(rows), 1)
    rows *= weights[:, None]
    rows -= mean
    squares = np.einsum("ij,ij->i", rows, rows)
    rest = np.ones(len(rows), rows.dtype) @ rows / max(len(rows), 1)  # what rounding left of the mean
    return Centred(mean.astype(np.float64) + rest, rows, squares.astype(np.float64), zero)


def _without(zero: NDArray[np.bool_], rows: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
    """`rows` and their `weights` less those that are `zero`, in another order: the last take the places of those."""
    count = len(rows) - np.count_nonzero(zero)
    places, last = np.flatnonzero(zero[:count]), count + np.flatnonzero(~zero[count:])
    rows[places], weights[places] = rows[last], weights[last]
    return rows[:count], weights[:count]
