"""Seeing the input of every activation function as it is called, whatever module or function calls it."""

import weakref
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from icc_cli.cache import SiteInfo
from icc_cli.errors import CheckpointError
from icc_cli.extraction.functions import name_of
from icc_cli.extraction.how import Sites


class Capture(TorchFunctionMode):
    """While active, collects the pooled pre-activations of every activation call in `model`'s forward pass.

    Each activation call is seen before it runs, so in-place, reused and functional ones are all caught, and
    residual additions are included. A site is named after the module that calls, the function added when the
    module is no activation module itself ("layer1.0.relu", "block.relu", "relu" in the root); the second and
    later calls of one name get "#1", "#2", in the order of the forward pass.

    `wanted` says which calls are sites.

    Use as a context manager around one forward pass, or around several that each follow a `begin`; `take` then gives
    the last pass's sites, and `seen` how often each activation function was called, wanted or not.
    """

    def __init__(self, model: nn.Module, wanted: Sites = Sites()) -> None:  # noqa: B008
        super().__init__()
        self._activations = frozenset(wanted.activations)
        self._include, self._exclude = wanted.include, wanted.exclude
        self._names = {module: name for name, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._calls: Counter[str] = Counter()
        self._sites: list[SiteInfo] = []
        self._values: list[Tensor] = []
        self._hooks: list[RemovableHandle] = []
        self._last_linear: Callable[[], Tensor | None] = lambda: None
        self.seen: Counter[str] = Counter()
        self.largest = 0
        """Elements of the largest pre-activation of the last pass, which bounds the batch that memory carries."""

    def begin(self) -> None:
        """Forget the last pass, whether it ended or not."""
        self._stack.clear()
        self._calls.clear()
        self.seen.clear()
        self._sites, self._values, self.largest = [], [], 0

    def __enter__(self) -> "Capture":
        self.begin()
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
        kwargs = kwargs or {}
        name = name_of(func, args, kwargs)
        if name is not None:
            self._record(name, args[0] if args else kwargs["input"])
        result = func(*args, **kwargs)
        if func is F.linear:
            self._last_linear = weakref.ref(result)
        return result

    def take(self) -> tuple[list[SiteInfo], list[Tensor]]:
        """The sites of the last forward pass, and their pooled pre-activations, (batch, neurons) each."""
        return self._sites, self._values

    def _record(self, function: str, preactivation: Tensor) -> None:
        self.seen[function] += 1
        self.largest = max(self.largest, preactivation.numel())
        if function not in self._activations:
            return
        name = self._site_name(function)
        if any(fnmatchcase(name, glob) for glob in self._exclude) or (
            self._include and not any(fnmatchcase(name, glob) for glob in self._include)
        ):
            return
        kind, pooled, size = pool(name, preactivation, units_last=preactivation is self._last_linear())
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
        # A hook of the caller's own may have raised before ours has seen the module called.
        if self._stack and self._stack[-1] is module:
            self._stack.pop()


def pool(name: str, preactivation: Tensor, units_last: bool = False) -> tuple[str, Tensor, int]:
    """(kind, pooled (batch, neurons), map size) of one pre-activation.

    - "dense": (batch, units) is kept, as a copy, since what follows may change it in place;
    - "map": feature maps (batch, channels, height, width, ...) are reduced by global max pooling;
    - "tokens": (batch, tokens, units), or what a linear layer gives for a map (`units_last`: (batch, height,
      width, units)), is reduced by the maximum over the tokens: a neuron is a unit, as a feature map is.
    """
    dimensions = preactivation.dim()
    if dimensions == 2:
        return "dense", preactivation.clone(), 1
    if dimensions == 3 or (dimensions > 3 and units_last):
        kind, reduced = "tokens", tuple(range(1, dimensions - 1))
    elif dimensions > 3:
        kind, reduced = "map", tuple(range(2, dimensions))
    else:
        raise CheckpointError(
            f"site {name} has a pre-activation of shape {tuple(preactivation.shape)}; expected (batch, units), "
            "(batch, tokens, units) or (batch, channels, height, width)."
        )
    # In float32 at once: on a CPU the maximum of bfloat16 maps is up to 20 times slower, and the same.
    pooled = preactivation.float().amax(dim=reduced)
    return kind, pooled, preactivation[0].numel() // pooled.shape[1] if len(pooled) else 0
