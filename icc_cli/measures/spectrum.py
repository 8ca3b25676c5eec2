"""Singular values of features, streamed over blocks, in the smaller of both dimensions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icc_cli.measures.site import Array

if TYPE_CHECKING:
    from icc_cli.measures.features import Features

VALUES, VECTORS = 1e-4, 1e-2
"""Shares of the largest singular value under which a Gram matrix, which squares it, costs the value, or its vector, too
many digits."""


@dataclass(frozen=True)
class Grams:
    """With s = min(N, n): X'X where n <= N, X X' otherwise, (s, s) each."""

    centred: Array
    """of F less its mean"""
    plain: Array
    """of F itself"""
    within: Array
    """S_W; of no neurons where N < n"""


def grams(view: "Features") -> Grams:
    """All from one product: F = X + 1 mu', and X is the rows less their class' mean, and this mean less mu."""
    count, neurons = view.shape
    if neurons > count:
        return _grams_of_few(view)
    within, centred = np.zeros((neurons, neurons)), np.zeros((neurons, neurons))
    held = np.empty((0, neurons))
    for number, group in enumerate(view.classes):
        for _, block in view.deviations.of(number, group.rows):
            if len(held) < len(block):
                held = np.empty(block.shape)
            rows = held[: len(block)]
            rows[:] = block
            product = rows.T @ rows
            centred += product
            within += product / (group.size * len(view.classes))
    offsets = np.sqrt([[group.size] for group in view.classes]) * (view.deviations.means - view.mean)
    centred += offsets.T @ offsets
    return Grams(centred, centred + count * np.outer(view.mean, view.mean), within)


def _grams_of_few(view: "Features") -> Grams:
    size, mean = view.shape[0], view.mean
    centred, across = np.zeros((size, size)), np.zeros(size)
    for part, values in view.neurons():
        block = values.astype(np.float64) - mean[part, None]
        across += mean[part] @ block
        centred += block.T @ block
    return Grams(centred, centred + across[:, None] + across + mean @ mean, np.zeros((0, 0)))


def singular_values(view: "Features", gram: Array, centred: bool) -> Array:
    """Singular values (s,) of F, or of F less its mean: exact to rounding of the largest."""
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0))
    return values if values[0] >= VALUES * values[-1] else principal(view, gram, centred)[0]


def principal(view: "Features", gram: Array, centred: bool, small: float = VALUES) -> tuple[Array, Array]:
    """Singular values (s,) of F, or of F less its mean, and their vectors (s, s) in the smaller dimension.

    Exact to rounding of the largest: what a Gram matrix cannot resolve (`small`: of the values, or of the vectors too)
    is taken from F itself, projected on the eigenvectors of the small eigenvalues and reduced by a QR decomposition a
    block at a time.
    """
    squares, vectors = np.linalg.eigh(gram)
    values = np.sqrt(np.maximum(squares, 0))
    lower = values < small * values[-1]
    if lower.any():
        mean = view.mean if centred else np.zeros(view.shape[1])
        triangle = np.zeros((0, int(lower.sum())))
        for block in _short_blocks(view, mean):
            triangle = _triangle(np.concatenate([triangle, block @ vectors[:, lower]]))
        _, found, turn = np.linalg.svd(triangle)
        values[lower] = 0.0
        values[: len(found)] = found[::-1]
        vectors[:, lower] = vectors[:, lower] @ turn[::-1].T
    return values, vectors


def _triangle(rows: Array) -> Array:
    """R of the QR decomposition of `rows`, which has their singular values."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def _short_blocks(view: "Features", mean: Array) -> Iterator[Array]:
    """Blocks (b, min(N, n)) of the rows less `mean` (n,), or of the neurons less theirs where these are more."""
    count, neurons = view.shape
    if neurons <= count:
        for block in view.blocks():
            yield block - mean
    else:
        for chosen, values in view.neurons():
            yield values - mean[chosen, None]
