"""Networks that take batches of one size only: `x.view(100, -1)`, a buffer or hidden state of one row per sample."""

import contextlib
import re
from collections.abc import Iterator

from torch import nn

from icc_cli.errors import CheckpointError
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.forward import outputs_of

LARGEST = 1024
"""Samples of a batch that are tried, at the most."""


def sizes(refused: CheckpointError, samples: int, asked: int | None) -> Iterator[int]:
    """Sizes that a network that has refused a batch of `samples` samples may want.

    The one that was `asked` for, then the numbers that torch names, since it names the shape that it was asked for. Of
    a product of matrices it names shapes of which the first number alone is of samples.
    """
    reason = refused.message.partition(": ")[2]
    numbers = [int(text) for text in re.findall(r"(?<![\w.])\d+(?!\w|\.\d)|\d+(?=x\d)", reason)]
    if "mat1 and mat2" in reason:
        numbers = numbers[:1]
    found = dict.fromkeys([*([asked] if asked else []), *numbers])
    return (size for size in found if 1 <= size <= LARGEST and size != samples)


def only_size(model: nn.Module, few: Arguments, refused: CheckpointError) -> int | None:
    """The size of the batches that `model`, which has refused `few` samples, takes."""
    for size in sizes(refused, len(few), None):
        with contextlib.suppress(CheckpointError):
            outputs_of(model, few.filled(size))
            return size
    return None
