"""Going through samples in batches that memory carries."""

from collections.abc import Callable

import torch

from icc_cli.errors import CheckpointError
from icc_cli.extraction.memory import ran_out


class Batches:
    """Goes through rows in batches, smaller ones when memory runs out."""

    def __init__(self, size: int, note: Callable[[str], None]) -> None:
        self._size = size
        self._note = note

    def run(self, count: int, work: Callable[[int, int], None]) -> None:
        """Call `work(start, stop)` until rows 0..count are done, repeating a batch that memory did not carry."""
        start = 0
        while start < count:
            stop = min(start + self._size, count)
            try:
                work(start, stop)
            except Exception as error:
                if not ran_out(error):
                    raise
                if self._size == 1:
                    raise too_large() from error
                self._size = max(1, (stop - start) // 2)
                self._note(f"memory ran out; going on with batches of {self._size}.")
            else:
                start = stop
                continue
            # Outside the except block, so that the failed batch's tensors are gone.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def too_large() -> CheckpointError:
    """What is raised when there is no smaller batch."""
    return CheckpointError(
        "one sample takes more memory than there is.", "Use another --device or a smaller --image-size."
    )
