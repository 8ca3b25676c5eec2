"""How many tasks a list of inputs is worth."""

import math
from collections.abc import Sequence

WORTH_A_TASK_BYTES = 256_000_000
INPUTS_WORTH_A_TASK = 8


def tasks(sizes: Sequence[int] | None, wanted: int | None, limit: int | None = None) -> int | None:
    """Tasks for inputs of `sizes` bytes; None when neither they nor `wanted` say.

    A task loads Python, torch and the data set, some ten seconds, before it begins: it is worth eight small inputs
    or one of 256 MB. `wanted` overrides that. There are never more tasks than inputs, nor than the site's `limit`.
    """
    if sizes is None:
        count = wanted
    else:
        worth = sum(min(1.0, max(1 / INPUTS_WORTH_A_TASK, size / WORTH_A_TASK_BYTES)) for size in sizes)
        count = min(wanted or math.ceil(worth), max(1, len(sizes)))
    return None if count is None else max(1, min(count, limit or count))
