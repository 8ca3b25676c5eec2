"""Singular values of features, streamed over blocks, in the smaller of both dimensions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from icc_cli.measures.site import Array
from icc_cli.measures.view import SiteView

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


def grams(view: SiteView) -> Grams:
    """Both Gram matrices from one pass: F = X + 1 mu', so that nothing has to cancel."""
    count, neurons = view.shape
    mean = view.moments.mean
    size = min(count, neurons)
    centred, across = np.zeros((size, size)), np.zeros(size)
    for part, block in _short_blocks(view):
        if neurons <= count:
            block -= mean
        else:
            block -= mean[part, None]
            across += mean[part] @ block
        centred += block.T @ block
    if neurons <= count:
        return Grams(centred, centred + count * np.outer(mean, mean))
    return Grams(centred, centred + across[:, None] + across + mean @ mean)


def principal(view: SiteView, gram: Array, centred: bool, small: float = VALUES) -> tuple[Array, Array]:
    """Singular values (s,) of F, or of F less its mean, and their vectors (s, s) in the smaller dimension.

    Exact to rounding of the largest: what a Gram matrix cannot resolve (`small`: of the values, or of the vectors too)
    is taken from F itself, projected on the eigenvectors of the small eigenvalues and reduced by a QR decomposition a
    block at a time.
    """
    squares, vectors = np.linalg.eigh(gram)
    values = np.sqrt(np.maximum(squares, 0))
    lower = values < small * values[-1]
    if lower.any():
        count, neurons = view.shape
        mean = view.moments.mean
        triangle = np.zeros((0, int(lower.sum())))
        for part, block in _short_blocks(view):
            if centred:
                block -= mean if neurons <= count else mean[part, None]
            triangle = _triangle(np.concatenate([triangle, block @ vectors[:, lower]]))
        _, found, turn = np.linalg.svd(triangle)
        values[lower] = 0.0
        values[: len(found)] = found[::-1]
        vectors[:, lower] = vectors[:, lower] @ turn[::-1].T
    return values, vectors


def _triangle(rows: Array) -> Array:
    """R of the QR decomposition of `rows`, which has their singular values."""
    return np.asarray(np.linalg.qr(rows, mode="r"))


def _short_blocks(view: SiteView) -> Iterator[tuple[slice, Array]]:
    """Blocks (b, min(N, n)) of rows, or of neurons where these are more, and which they are."""
    count, neurons = view.shape
    if neurons <= count:
        start = 0
        for block in view.blocks():
            yield slice(start, start + len(block)), block
            start += len(block)
    else:
        for chosen, values in view.neurons():
            yield chosen, values.astype(np.float64)
