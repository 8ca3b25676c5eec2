"""What any measure has to beat, counted on the network itself: parameters, weight norm, path norm."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

CHUNK = 2**15
POSITIVE = {"relu", "relu6"}
"""Activation functions that let a path's product of weights through."""


@dataclass(frozen=True)
class Controls:
    """Numbers by name, and why those that are None are not defined."""

    values: dict[str, float | None]
    reasons: dict[str, str]


def controls(model: nn.Module, sample: tuple[Tensor, ...], functions: Collection[str]) -> Controls:
    """`parameters`, `weight_norm` and `path_norm` of `model`, which is in inference mode.

    `sample` are the inputs of one sample, or of as many as the network takes at least, `functions` the activation
    functions that it calls.

    path_norm is the square root of the sum of the outputs at an input of ones, with every weight squared, biases
    included and batch norm folded into the layer before it; it is defined for networks of linear layers, convolutions,
    batch norm and ReLUs, of one input.
    """
    values: dict[str, float | None] = {
        "parameters": float(sum(parameter.numel() for parameter in model.parameters())),
        "weight_norm": math.sqrt(math.fsum(map(_square, model.parameters()))),
        "path_norm": None,
    }
    reason = _no_paths(model, sample, functions)
    if not reason:
        try:
            values["path_norm"] = _path_norm(model, sample[0])
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = f"the network does not run with squared weights ({str(error).splitlines()[0][:80]})"
    if not reason and not math.isfinite(values["path_norm"] or 0.0):
        values["path_norm"], reason = None, "the sum over paths is larger than a number can be"
    return Controls(values, {"path_norm": reason} if reason else {})


def _square(weights: Tensor) -> float:
    """The sum of the squares, in float64, which is held for no more than a few thousand weights at a time."""
    real = weights.detach().abs() if weights.is_complex() else weights.detach()
    parts = (part.double() for part in torch.split(real.flatten(), CHUNK))
    return math.fsum(float(part.dot(part)) for part in parts)


def _no_paths(model: nn.Module, sample: tuple[Tensor, ...], functions: Collection[str]) -> str:
    """Why path_norm is not defined; empty when it is."""
    if len(sample) != 1 or not sample[0].is_floating_point():
        return "path_norm is defined for one input of real numbers"
    others = sorted(set(functions) - POSITIVE)
    if others:
        return f"path_norm is defined for networks of ReLUs, and this one calls {others[0]}"
    for module in model.modules():
        known = isinstance(module, nn.Linear | _ConvNd | _BatchNorm)
        own = any(True for _ in module.parameters(recurse=False))
        if (own and not known) or (isinstance(module, _BatchNorm) and module.running_mean is None):
            return f"path_norm is not defined for {type(module).__name__}"
    return ""


def _path_norm(model: nn.Module, sample: Tensor) -> float:
    """In float64, the squares standing in for the weights during one forward pass."""
    precision = next((p.dtype for p in model.parameters() if p.is_floating_point()), sample.dtype)
    ones = torch.ones_like(sample, dtype=precision)
    with torch.no_grad():
        before = _layer_before(model, ones)
        modules = dict(model.named_modules())
        instead = {name: p.to(torch.float64, copy=True).square_() for name, p in model.named_parameters()}
        instead |= {name: held.double() for name, held in model.named_buffers() if held.is_floating_point()}
        for name, norm in modules.items():
            if isinstance(norm, _BatchNorm):
                layer = before.get(name)
                bias = getattr(modules[layer], "bias", None) if layer is not None else None
                if bias is not None:
                    instead[f"{layer}.bias"] = torch.zeros_like(bias, dtype=torch.float64)
                instead |= {f"{name}.{part}": value for part, value in _squared(norm, bias).items()}
        return math.sqrt(float(_first(functional_call(model, instead, ones.double()))[0].sum()))


def _layer_before(network: nn.Module, ones: Tensor) -> dict[str, str]:
    """By batch norm, the linear layer or convolution whose output it is given; both by name."""
    outputs: dict[int, tuple[str, Tensor]] = {}
    found: dict[str, str] = {}

    def left(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, _BatchNorm):
            layer = outputs.get(id(inputs[0]))
            if layer is not None:
                found[name] = layer[0]
        else:
            outputs[id(output)] = name, output  # kept, so that no other tensor takes its id

    hooks = [
        module.register_forward_hook(partial(left, name))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | _ConvNd | _BatchNorm)
    ]
    try:
        network(ones)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _squared(norm: _BatchNorm, bias: Tensor | None) -> dict[str, Tensor]:
    """What makes it compute scale^2 x + shift^2, after a layer with this `bias`, which cancels in it."""
    assert norm.running_mean is not None and norm.running_var is not None
    mean = norm.running_mean.double() if bias is None else norm.running_mean.double() - bias
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is None:
        shift = (scale * mean).square()
        return {"running_mean": -shift / scale.square(), "running_var": scale.pow(-4) - norm.eps}
    scale = scale * norm.weight
    shift = norm.bias - scale * mean
    plain = {"running_mean": torch.zeros_like(mean), "running_var": torch.full_like(mean, 1 - norm.eps)}
    return {"weight": scale.square(), "bias": shift.square(), **plain}


def _first(outputs: object) -> Tensor:
    found = outputs[0] if isinstance(outputs, tuple | list) else outputs
    if not isinstance(found, Tensor):
        raise TypeError("its outputs are no tensor")
    return found
