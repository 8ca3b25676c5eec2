"""One forward pass: what a network is given, and what is made of its answer."""

import torch
from torch import Tensor, nn

from icc_cli.errors import CheckpointError, UsageError
from icc_cli.extraction.memory import ran_out


def resolve_device(name: str) -> torch.device:
    """The device called `name`; `auto` takes a GPU when there is one. UsageError when it cannot be used."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"cannot use the device {name!r}: {str(error).splitlines()[0]}") from error
    return device


def device_of(model: nn.Module) -> torch.device:
    """Where the network's first parameter is; the CPU when it has none."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits (B, classes); CheckpointError when the model cannot take the inputs or gives something else."""
    try:
        outputs = model(inputs)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        if ran_out(error):
            raise
        raise CheckpointError(
            f"the model cannot take images of shape {tuple(inputs.shape[1:])} (C, H, W): "
            f"{str(error).splitlines()[0].rstrip('.')}.",
            "Check --data and the model's input size and channels.",
        ) from error
    if isinstance(outputs, tuple | list) and outputs:
        outputs = outputs[0]
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise CheckpointError(f"the model's output is {shape}, expected logits (batch, classes).")
    return outputs
