"""Seeing the input of every activation function as it is called, whatever module or function calls it."""

import functools
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from icc_cli.cache import SiteInfo
from icc_cli.errors import CheckpointError
from icc_cli.extraction.arithmetic import Arithmetic, is_arithmetic
from icc_cli.extraction.beneath import Beneath
from icc_cli.extraction.calls import tensors
from icc_cli.extraction.follow import Follower, name_of_call
from icc_cli.extraction.functions import may_be_activation, name_of
from icc_cli.extraction.head import LinearCall, is_linear, linear_call
from icc_cli.extraction.how import Sites
from icc_cli.extraction.pooling import Pooling, pooling_of

COMPILED = "_orig_mod"
"""What torch.compile calls the module that it wraps."""
FUSED = {
    "lstm": ("sigmoid", "tanh"), "lstm_cell": ("sigmoid", "tanh"), "gru": ("sigmoid", "tanh"),
    "gru_cell": ("sigmoid", "tanh"), "rnn_tanh": ("tanh",), "rnn_tanh_cell": ("tanh",), "rnn_relu": ("relu",),
    "rnn_relu_cell": ("relu",),
}  # fmt: skip
"""Recurrent layers that call activation functions inside one operation, once a time step."""


@dataclass(frozen=True)
class Known:
    """What a pass over a network has shown: by site, where its neurons are; and the modules that call activations."""

    poolings: Mapping[str, Pooling]
    callers: frozenset[str]


class Capture(TorchFunctionMode):
    """While active, collects the pooled pre-activations of every activation call in `model`'s forward pass.

    Each activation call is seen before it runs, so in-place, reused and functional ones are all caught, and
    residual additions are included. A site is named after the module that calls, the function added when the
    module is no activation module itself ("layer1.0.relu", "block.relu", "relu" in the root); the second and
    later calls of one name get "#1", "#2", in the order of the forward pass.

    `wanted` says which calls are sites. `known` is what an earlier pass has found; without it every pass is followed
    call by call to find it. With `beneath`, calls that Python does not make (TorchScript's) are seen too, at a cost.

    Use as a context manager around one forward pass, or around several that each follow a `begin`; `take` then gives
    the last pass's sites, and `seen` how often each activation function was called, wanted or not.
    """

    def __init__(
        self,
        model: nn.Module,
        wanted: Sites = Sites(),  # noqa: B008
        known: Known | None = None,
        beneath: bool = False,
    ) -> None:
        super().__init__()
        self._root, self._wanted = model, wanted
        self._activations = frozenset(wanted.activations)
        self._names = {module: _plain(name) for name, module in model.named_modules()}
        self._known = known
        self._follower = Follower() if known is None else None
        self._beneath = Beneath(self._record) if beneath else None
        self._contexts = ExitStack()
        self._arithmetic = Arithmetic()
        self._stack: list[nn.Module] = []
        self._calls: Counter[str] = Counter()
        self._sites: list[SiteInfo] = []
        self._values: list[Tensor] = []
        self._hooks: list[RemovableHandle] = []
        self._samples = 0
        self._poolings: dict[str, Pooling] = {}
        self._callers: set[str] = set()
        self.fused: dict[str, str] = {}
        """Recurrent layers of the last pass that call a wanted function inside, and which."""
        self.squashed: weakref.ref[Tensor] | None = None
        """What the last sigmoid gave."""
        self.linear: LinearCall | None = None
        """The last linear call."""
        self.seen: Counter[str] = Counter()
        self.largest = 0
        """Elements of the largest pre-activation of the last pass, which bounds the batch that memory carries."""

    def begin(self) -> None:
        """Forget the last pass, whether it ended or not."""
        self._stack.clear()
        self._calls.clear()
        self.seen.clear()
        self._sites, self._values, self.largest = [], [], 0
        self._poolings, self.fused, self.squashed, self.linear = {}, {}, None, None
        self._callers.clear()

    def __enter__(self) -> "Capture":
        self.begin()
        for module, name in self._names.items():
            hooked = self._known is None or name in self._known.callers
            if hooked and not isinstance(module, torch.jit.ScriptModule):  # takes no such hooks; `beneath` sees inside
                self._hooks.append(module.register_forward_pre_hook(self._entered, with_kwargs=True))
                self._hooks.append(module.register_forward_hook(self._left, always_call=True))
        if self._beneath is not None:
            self._contexts.enter_context(self._beneath)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, value, trace)  # type: ignore[no-untyped-call]
        self._contexts.close()
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._follower is None and _is_passed_over(func):
            return func(*args, **kwargs)
        called = name_of_call(func)
        name = name_of(func, args, kwargs)
        if name is not None:
            self._record(name, args[0] if args else kwargs["input"])
        elif (rectified := self._arithmetic.relu(called, args)) is not None:
            name = "relu"
            self._record(name, rectified)
        if self._beneath is not None:
            with self._beneath.told(name is not None or called in FUSED):
                result = func(*args, **kwargs)
        else:
            result = func(*args, **kwargs)
        self._arithmetic.learn(func, called, args, result)
        if self._follower is not None:
            self._follower.follow(func, (args, kwargs), result, self._path())
            self._look_inside(called)
        self.linear = linear_call(func, args, kwargs, result) or self.linear
        if name == "sigmoid":
            self.squashed = weakref.ref(result)
        return result

    def take(self) -> tuple[list[SiteInfo], list[Tensor]]:
        """The sites of the last forward pass, and their pooled pre-activations, (batch, neurons) each."""
        return self._sites, self._values

    @property
    def known(self) -> Known:
        """What the last pass has shown."""
        return Known(dict(self._poolings), frozenset(self._callers))

    @property
    def saw_beneath(self) -> bool:
        """Whether a call that is wanted was seen by `Beneath` alone."""
        return self._beneath is not None and any(name in self._activations for name in self._beneath.found)

    def _record(self, function: str, preactivation: Tensor) -> None:
        self.seen[function] += 1
        self.largest = max(self.largest, preactivation.numel())
        if function not in self._activations:
            return
        self._callers.add(self._path())
        name = self._site_name(function)
        if not self._is_wanted(name):
            return
        if torch._C._functorch.is_functorch_wrapped_tensor(preactivation):
            raise CheckpointError(
                f"site {name} is called inside torch.vmap or the like, and cannot be taken there.",
                f"Leave it out with --exclude-sites '{name}', or call the network without the transform.",
            )
        pooling = self._pooling(name, preactivation)
        pooled = pooling(preactivation)
        count, neurons = pooled.shape
        self._poolings[name] = pooling
        self._sites.append(
            SiteInfo(name, pooling.kind, neurons, preactivation.numel() // max(1, count * neurons) if neurons else 0)
        )
        self._values.append(pooled)

    def _pooling(self, name: str, preactivation: Tensor) -> Pooling:
        if self._known is not None:
            pooling = self._known.poolings.get(name)
            if pooling is None or pooling.dimensions != preactivation.dim():
                raise CheckpointError("the model calls its activation functions differently from batch to batch.")
            return pooling
        assert self._follower is not None
        chosen = next((axis for glob, axis in self._wanted.axes if fnmatchcase(name, glob)), None)
        shape, axes = tuple(preactivation.shape), self._follower.of(preactivation)
        return pooling_of(name, shape, axes, self._samples or (shape[0] if shape else 0), chosen)

    def _is_wanted(self, name: str) -> bool:
        include, exclude = self._wanted.include, self._wanted.exclude
        if any(fnmatchcase(name, glob) for glob in exclude):
            return False
        return not include or any(fnmatchcase(name, glob) for glob in include)

    def _look_inside(self, function: str) -> None:
        """Remember a recurrent layer whose own activation functions are wanted: they cannot be had."""
        for inner in FUSED.get(function, ()):
            name = ".".join(part for part in (self._path(), inner) if part)
            if inner in self._activations and self._is_wanted(name):
                self.fused[name] = function

    def _path(self) -> str:
        return self._names.get(self._stack[-1], "") if self._stack else ""

    def _site_name(self, function: str) -> str:
        caller = self._stack[-1] if self._stack else None
        path = self._path()
        is_activation = caller is not None and type(caller).__module__ == nn.modules.activation.__name__
        name = path if is_activation and path else ".".join(part for part in (path, function) if part)
        count = self._calls[name]
        self._calls[name] += 1
        return f"{name}#{count}" if count else name

    def _entered(self, module: nn.Module, inputs: Any, kwargs: Any) -> None:
        if module is self._root and not self._stack:
            given = [tensor for tensor in tensors((inputs, kwargs)) if tensor.dim()]
            self._samples = given[0].shape[0] if given else 0
            if self._follower is not None:
                for tensor in given:
                    self._follower.given(tensor)
        self._stack.append(module)

    def _left(self, module: nn.Module, inputs: Any, output: Any) -> None:
        # A hook of the caller's own may have raised before ours has seen the module called.
        if self._stack and self._stack[-1] is module:
            self._stack.pop()
        if self._follower is not None:
            self._follower.passed(inputs, output)


@functools.cache
def _is_passed_over(function: Callable[..., Any]) -> bool:
    """Whether calls of `function`, of which there are many and short ones, say nothing of the sites or of the head."""
    name = name_of_call(function)
    return not (may_be_activation(function) or is_linear(function) or is_arithmetic(function, name) or name in FUSED)


def _plain(name: str) -> str:
    """A module's path as it is when nothing is compiled."""
    return ".".join(part for part in name.split(".") if part != COMPILED)
