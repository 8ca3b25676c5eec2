"""`--unsafe-pickle`: a file that the user trusts may run code; what it names and is not there is passed over."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

DEEPEST = 100


class Missing:
    """In the place of a class whose package, or whose name in it, is not there. It keeps what its object held."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __new__(cls, *args: Any, **kwargs: Any) -> "Missing":
        return object.__new__(cls)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], dict | None):
            state = state[0]
        if isinstance(state, dict):
            self.__dict__.update(state)

    def __call__(self, *args: Any, **kwargs: Any) -> "Missing":
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Items of a list of one's own are passed over."""

    def extend(self, items: object) -> None:
        """See `append`."""

    def add(self, item: object) -> None:
        """See `append`."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except Exception:
            # Whatever importing a stranger's package raises: the weights do not need it.
            return type(name.rpartition(".")[2] or "Missing", (Missing,), {"__module__": module})


def load(path: Path) -> Any:
    """The content of a file of torch.save, its classes imported where they are there. Runs the file's code."""
    pickles = ModuleType("icc_pickle")
    pickles.Unpickler = _Unpickler  # type: ignore[attr-defined]
    pickles.load = lambda file, **options: _Unpickler(file, **options).load()  # type: ignore[attr-defined]
    with path.open("rb") as stream:
        content = torch.load(stream, map_location="cpu", weights_only=False, pickle_module=pickles)
    return without_modules(content)


def without_modules(content: Any, depth: int = 0) -> Any:
    """`content` with every network in it as its state dict, whether its class is there or not.

    A network beside a state dict stays what it is: the state dict is what was saved to be read.
    """
    if isinstance(content, nn.Module) or "_parameters" in getattr(content, "__dict__", {}):
        return state_of(content)
    if isinstance(content, Mapping) and depth < DEEPEST and not any(map(_has_tensors, content.values())):
        return {key: without_modules(value, depth + 1) for key, value in content.items()}
    return content


def _has_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(item, Tensor) for item in value.values())


def state_of(network: Any, prefix: str = "") -> dict[str, Tensor]:
    """The state dict of a network, read from its attributes: parameters, persistent buffers, submodules."""
    own = network.__dict__
    kept = [own.get("_parameters"), own.get("_buffers")]
    passing = own.get("_non_persistent_buffers_set") or ()
    state: dict[str, Tensor] = {}
    for entries in kept:
        for name, value in (entries or {}).items():
            if isinstance(value, Tensor) and name not in passing:
                state[prefix + name] = value.detach()
    for name, inner in (own.get("_modules") or {}).items():
        if inner is not None and prefix.count(".") < DEEPEST:
            state |= state_of(inner, f"{prefix}{name}.")
    return state
