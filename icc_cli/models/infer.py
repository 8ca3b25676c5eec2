"""The number of classes and of input channels, from the shapes of the weights."""

import contextlib
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from icc_cli.checkpoints.names import aligned, same_shape
from icc_cli.errors import UsageError
from icc_cli.models.spec import ModelSpec, build

CLASSES = "num_classes"
CHANNELS = ("in_channels", "in_chans")
"""What factories call their number of input channels; timm's say in_chans."""
PLACEHOLDER = 10


def build_for(spec: ModelSpec, state: dict[str, Tensor]) -> tuple[ModelSpec, nn.Module]:
    """The network of `spec`, and `spec` with the arguments that the weights in `state` settle.

    An argument that `spec` gives is never changed. One is inferred only when every entry of another shape differs
    in the number of classes or of input channels alone, all by the same numbers, and the network made with these
    has the shapes of `state`. UsageError as `build`.
    """
    spec, network = _inferred(spec, state)
    if any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        # Lazy layers take their shapes from the weights; what does not fit is told when all of them are loaded.
        with contextlib.suppress(RuntimeError):
            network.load_state_dict(state, strict=False)
    return spec, network


def _inferred(spec: ModelSpec, state: dict[str, Tensor]) -> tuple[ModelSpec, nn.Module]:
    held = sum(tensor.numel() for tensor in state.values())
    try:
        network = build(spec, held)
    except UsageError as error:
        if CLASSES in spec.args:
            raise
        try:
            network = build(_with(spec, {CLASSES: PLACEHOLDER}), held)
        except UsageError:
            raise error from None
        spec, given = _with(spec, {CLASSES: PLACEHOLDER}), spec.args
    else:
        given = spec.args
    state = aligned(network.state_dict(), state, spec.spec)
    classes, channels = _differences(network, state)
    if len(classes) > 1 or len(channels) > 1 or not (classes or channels):
        return spec, network
    settled: dict[str, Any] = {CLASSES: classes.pop()} if classes and CLASSES not in given else {}
    candidates = [{**settled, name: min(channels)} for name in CHANNELS if name not in given] if channels else [settled]
    for arguments in candidates:
        try:
            inferred = build(_with(spec, arguments), held)
        except UsageError:
            continue
        if arguments and not any(_differences(inferred, state)):
            return _with(spec, arguments), inferred
    return spec, network


def _with(spec: ModelSpec, arguments: dict[str, Any]) -> ModelSpec:
    return replace(spec, args={**spec.args, **arguments})


def _differences(network: nn.Module, state: dict[str, Tensor]) -> tuple[set[int], set[int]]:
    """Sizes of `state` where an entry's first dimension alone differs (classes), or its second alone (channels).

    Both are empty when all shapes agree; an entry that differs otherwise puts several sizes into both.
    """
    classes: set[int] = set()
    channels: set[int] = set()
    for key, own in network.state_dict().items():
        if key not in state or same_shape(own, state[key]):
            continue
        got = state[key].shape
        differing = [axis for axis in range(own.dim()) if len(got) == own.dim() and own.shape[axis] != got[axis]]
        if differing == [0]:
            classes.add(got[0])
        elif differing == [1] and own.dim() == 4:
            channels.add(got[1])
        else:
            return {-1, -2}, {-1, -2}
    return classes, channels
