"""Seeing the input of every activation function as it is called, whatever module or function calls it."""

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from icc_cli.cache import SiteInfo
from icc_cli.errors import CheckpointError

ACTIVATIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    "relu": (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
}
"""Every spelling of each activation function, by name."""


class Capture(TorchFunctionMode):
    """While active, collects the global max pool of every pre-activation of `model`'s forward pass.

    Each activation call is seen before it runs, so in-place, reused and functional ones are all caught, and
    residual additions are included. A site is named after the module that calls, the function added when the
    module is no activation module itself ("layer1.0.relu", "block.relu", "relu" in the root); the second and
    later calls of one name get "#1", "#2", in the order of the forward pass.

    Use as a context manager around one forward pass at a time; `take` then gives that pass's sites.
    """

    def __init__(self, model: nn.Module, activations: tuple[str, ...] = ("relu",)) -> None:
        super().__init__()
        self._functions = {function: name for name in activations for function in ACTIVATIONS[name]}
        self._names = {module: name for name, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._calls: Counter[str] = Counter()
        self._sites: list[SiteInfo] = []
        self._values: list[Tensor] = []
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> "Capture":
        self._stack.clear()
        self._calls.clear()
        self._sites, self._values = [], []
        for module in self._names:
            self._hooks.append(module.register_forward_pre_hook(self._entered))
            self._hooks.append(module.register_forward_hook(self._left, always_call=True))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, value, trace)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = self._functions.get(func)
        if name is not None:
            self._record(name, args[0] if args else (kwargs or {})["input"])
        return func(*args, **(kwargs or {}))

    def take(self) -> tuple[list[SiteInfo], list[Tensor]]:
        """The sites of the last forward pass, and their pooled pre-activations, (batch, neurons) each."""
        return self._sites, self._values

    def _record(self, function: str, preactivation: Tensor) -> None:
        name = self._site_name(function)
        kind, pooled, size = pool(name, preactivation)
        self._sites.append(SiteInfo(name, kind, pooled.shape[1], size))
        self._values.append(pooled)

    def _site_name(self, function: str) -> str:
        caller = self._stack[-1] if self._stack else None
        path = self._names.get(caller, "") if caller is not None else ""
        is_activation = caller is not None and type(caller).__module__ == nn.modules.activation.__name__
        name = path if is_activation and path else ".".join(part for part in (path, function) if part)
        count = self._calls[name]
        self._calls[name] += 1
        return f"{name}#{count}" if count else name

    def _entered(self, module: nn.Module, inputs: Any) -> None:
        self._stack.append(module)

    def _left(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self._stack.pop()


def pool(name: str, preactivation: Tensor) -> tuple[str, Tensor, int]:
    """(kind, pooled (batch, neurons), map size) of one pre-activation.

    Feature maps (batch, channels, height, width) are reduced by global max pooling; (batch, units) is kept, as
    a copy, since what follows may change it in place.
    """
    if preactivation.dim() == 2:
        return "dense", preactivation.clone(), 1
    if preactivation.dim() == 4:
        return "map", preactivation.amax(dim=(2, 3)), preactivation.shape[2] * preactivation.shape[3]
    raise CheckpointError(
        f"site {name} has a pre-activation of shape {tuple(preactivation.shape)}; expected (batch, units) or "
        "(batch, channels, height, width)."
    )
