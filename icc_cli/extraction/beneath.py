"""Activation functions that no Python call shows: those of TorchScript and of operations that call others."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

DIRECT = frozenset(
    ("relu", "relu6", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardsigmoid", "softplus",
     "sigmoid", "tanh", "leaky_relu")
)  # fmt: skip


class Beneath(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, calls `record(name, input)` for every activation operation that runs outside `told`."""

    def __init__(self, record: Callable[[str, Tensor], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._record = record
        self._silent = 0
        self.found: dict[str, int] = {}
        """How often each activation function was called."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch imports its compiler, which takes a second, to keep it away from us.
        return False

    @contextlib.contextmanager
    def told(self, known: bool) -> Iterator[None]:
        """Around a call that is one activation function, already recorded, when `known`."""
        self._silent += known
        try:
            yield
        finally:
            self._silent -= known

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self._silent:
            name = _name(func.overloadpacket.__name__, args)
            if name is not None:
                self.found[name] = self.found.get(name, 0) + 1
                self._record(name, args[0])
        return func(*args, **kwargs)


def _name(operation: str, args: tuple[Any, ...]) -> str | None:
    """The activation function that an operation of ATen is."""
    operation = operation.rstrip("_")
    if operation in DIRECT:
        return operation
    bounds = args[1:]
    if operation == "clamp_min" and _is(bounds[:1], 0):
        return "relu"
    if operation == "clamp" and _is(bounds[:1], 0):
        return "relu" if len(bounds) < 2 or bounds[1] is None else "relu6" if _is(bounds[1:2], 6) else None
    if operation == "threshold" and _is(bounds, 0, 0):
        return "relu"
    if operation == "hardtanh":
        return "relu6" if _is(bounds, 0, 6) else "hardtanh" if bounds in ((), (-1, 1)) else None
    return None


def _is(found: tuple[Any, ...], *expected: float) -> bool:
    return len(found) == len(expected) and all(
        isinstance(value, int | float) and value == wanted for value, wanted in zip(found, expected, strict=True)
    )
