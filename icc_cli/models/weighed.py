"""Networks that would fill the memory: refused while they are made, before it is taken."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from icc_cli.errors import UsageError
from icc_cli.resources import check_memory, free_memory

HINT = "Are its arguments right?"
_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)
"""What layers make their weights with."""
MOST_TENSORS = 2**14
"""Of one network; the largest that are in use have some thousands."""
MOST_TIMES, SPARE = 4, 2**28
"""Numbers that a network may have beyond those of the weights that are to be loaded: so many times as many, or ..."""


class Weighed(TorchFunctionMode):
    """In its block, `bytes` counts what tensors take as they are made; UsageError before one that is too much.

    That is what does not fit into the memory, or what has nothing to do with the weights that are to be loaded, of
    which there are `held` numbers. `what` is made, as messages say it.
    """

    def __init__(self, what: str, held: int | None = None) -> None:
        super().__init__()
        self.bytes = 0
        self._what, self._free = what, free_memory()
        self._most = math.inf if held is None else max(MOST_TIMES * held, held + SPARE)
        self._numbers = self._tensors = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKERS:
            self._count(kwargs.get("size", args), kwargs.get("dtype") or torch.get_default_dtype())
        return func(*args, **kwargs)

    def _count(self, size: Sequence[Any], dtype: torch.dtype) -> None:
        numbers = math.prod(size[0] if len(size) == 1 and not isinstance(size[0], int) else size)
        self._tensors += 1
        self._numbers += numbers
        self.bytes += numbers * dtype.itemsize
        if self._tensors > MOST_TENSORS:
            raise UsageError(f"{self._what} has more than {MOST_TENSORS:,} tensors.", HINT)
        if self._numbers > self._most:
            raise UsageError(
                f"{self._what} has more than {self._most:,} weights, many more than are there to be loaded.",
                HINT,
            )
        check_memory(self.bytes, self._what, UsageError, HINT, self._free)
