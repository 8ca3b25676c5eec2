"""Which torch calls are activation functions, and by which name."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from icc_cli.errors import UsageError

SPELLINGS: dict[str, tuple[Callable[..., Any], ...]] = {
    "relu": (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
    "relu6": (F.relu6,),
    "leaky_relu": (F.leaky_relu, F.leaky_relu_),
    "prelu": (torch.prelu, Tensor.prelu),
    "rrelu": (F.rrelu, F.rrelu_),
    "elu": (F.elu, F.elu_),
    "selu": (F.selu, F.selu_),
    "celu": (F.celu, F.celu_),
    "gelu": (F.gelu,),
    "silu": (F.silu,),
    "mish": (F.mish,),
    "hardswish": (F.hardswish,),
    "hardsigmoid": (F.hardsigmoid,),
    "softplus": (F.softplus,),
    "sigmoid": (torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.sigmoid),
    "tanh": (torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_, F.tanh),
}
"""Every spelling of each activation function that needs no look at its arguments."""


def _clamp(input: Any, min: Any = None, max: Any = None, **_: Any) -> str | None:
    if not isinstance(min, int | float) or min != 0:
        return None
    return "relu" if max is None else "relu6" if isinstance(max, int | float) and max == 6 else None


def _threshold(input: Any, threshold: float, value: float, *_: Any, **__: Any) -> str | None:
    return "relu" if threshold == 0 and value == 0 else None


def _hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, *_: Any, **__: Any) -> str | None:
    return "relu6" if (min_val, max_val) == (0, 6) else "hardtanh" if (min_val, max_val) == (-1, 1) else None


CONDITIONAL: dict[Callable[..., Any], Callable[..., str | None]] = {
    **dict.fromkeys((torch.clamp, torch.clamp_, torch.clip, torch.clip_, torch.clamp_min, torch.clamp_min_), _clamp),
    **dict.fromkeys((Tensor.clamp, Tensor.clamp_, Tensor.clip, Tensor.clip_), _clamp),
    **dict.fromkeys((Tensor.clamp_min, Tensor.clamp_min_), _clamp),
    **dict.fromkeys((F.threshold, torch.threshold), _threshold),
    **dict.fromkeys((F.hardtanh, F.hardtanh_), _hardtanh),
}
"""Functions that are an activation only with certain arguments, and what tells which."""

NAMES = (*SPELLINGS, "hardtanh")
_NAME_OF = {function: name for name, functions in SPELLINGS.items() for function in functions}


def may_be_activation(function: Callable[..., Any]) -> bool:
    """Whether a call of `function` is an activation, whatever its arguments or with some."""
    return function in _NAME_OF or function in CONDITIONAL


def name_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """The activation function that a call of `function` is, or None."""
    name = _NAME_OF.get(function)
    if name is None and (tell := CONDITIONAL.get(function)) is not None:
        name = tell(*args, **kwargs)
    return name


def parse(text: str) -> tuple[str, ...]:
    """The names in `relu,gelu`, or every one for `all`. UsageError for one that is not known."""
    names = NAMES if text == "all" else tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if unknown := [name for name in names if name not in NAMES]:
        raise UsageError(
            f"unknown activation function {unknown[0]!r}.", f"Expected all, or some of {', '.join(NAMES)}."
        )
    return names
