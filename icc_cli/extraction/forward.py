"""One forward pass: what a network is given, and what is made of its answer."""

from typing import Any

import torch
from torch import nn

from icc_cli.errors import CheckpointError, UsageError
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.memory import ran_out
from icc_cli.nearest import did_you_mean, nearest

DEVICES = ("cpu", "cuda", "mps", "xpu", "meta")


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` takes a GPU when there is one. UsageError when it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise _no_device(name, str(error).splitlines()[0]) from error
    return device


def _no_device(name: str, reason: str) -> UsageError:
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        close = ["cuda"] if kind.lower() in ("gpu", "nvidia", "rocm") else nearest(kind, DEVICES)
        hint = f"{did_you_mean(close)}Expected auto, cpu, cuda, cuda:1 or mps."
        return UsageError(f"there is no device {name!r}.", hint)
    found = torch.cuda.device_count()
    hint = f"There are {found} GPUs, counted from cuda:0." if kind == "cuda" and found else "Leave it out, or take cpu."
    return UsageError(f"cannot use the device {name!r}: {reason}", hint)


def device_of(model: nn.Module) -> torch.device:
    """Where the network's first parameter is; the CPU when it has none."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def outputs_of(model: nn.Module, inputs: Arguments) -> Any:
    """What the model gives; CheckpointError when it cannot take the inputs.

    Numbers are given in the precision of its weights, as whoever made it in another than float32 would give them.
    """
    precision = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    if precision != torch.float32:
        inputs = inputs.each(lambda tensor: tensor.to(precision) if tensor.dtype == torch.float32 else tensor)
    try:
        return model(*inputs.positional, **inputs.named)
    except CheckpointError:
        raise
    except (Exception, SystemExit) as error:
        # Whatever a foreign forward pass raises, the user has to hear which inputs and why.
        if ran_out(error):
            raise
        reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        first = inputs.positional[0] if inputs.positional else None
        what = "images" if first is not None and first.dim() == 4 and len(inputs.positional) == 1 else "inputs"
        raise CheckpointError(
            f"the model cannot take {what} of shape {inputs.shapes()}: {reason}.",
            "Check --data, the model's input size and channels, and --batch-size if it takes batches of one size.",
        ) from error
