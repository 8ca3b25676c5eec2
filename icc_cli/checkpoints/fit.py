"""Loading a state dict into a model, or saying exactly what does not fit."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from icc_cli.checkpoints.library import renamed
from icc_cli.checkpoints.names import COUNTERS, aligned, same_shape
from icc_cli.checkpoints.read import Checkpoint
from icc_cli.errors import CheckpointError
from icc_cli.loading import reason, world_of


@dataclass(frozen=True)
class Fit:
    """How a state dict's entries meet a model's."""

    fitting: int
    missing: list[str]
    unexpected: list[str]
    mismatched: list[str]

    @property
    def exact(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    def lines(self) -> list[str]:
        """One line for each entry that does not fit."""
        return (
            self.mismatched
            + [f"missing from the checkpoint: {key}" for key in self.missing]
            + [f"unknown to the model: {key}" for key in self.unexpected]
        )


def compare(model: nn.Module, state: dict[str, Tensor]) -> Fit:
    """Which entries of `state` and `model` are missing, unexpected, of another shape, or complex for a real one."""
    own = model.state_dict()
    tied = _tied(model, state)
    both = [key for key in own if key in state]
    mismatched = [
        f"{key}: checkpoint {tuple(state[key].shape)}, model {tuple(own[key].shape)}"
        for key in both
        if not same_shape(own[key], state[key])
    ]
    mismatched += [
        f"{key}: checkpoint {state[key].dtype}, model {own[key].dtype}".replace("torch.", "")
        for key in both
        if state[key].is_complex() and not own[key].is_complex() and same_shape(own[key], state[key])
    ]
    return Fit(
        fitting=sum(key in state or key in tied for key in own) - len(mismatched),
        missing=[key for key in own if key not in state and key not in tied and not key.endswith(COUNTERS)],
        unexpected=[key for key in state if key not in own and not key.endswith(COUNTERS)],
        mismatched=mismatched,
    )


def _tied(model: nn.Module, state: dict[str, Tensor]) -> set[str]:
    """Names of parameters that have another name in `state`: safetensors keeps shared ones once."""
    named = list(model.named_parameters(remove_duplicate=False))
    given = {id(parameter) for name, parameter in named if name in state}
    return {name for name, parameter in named if id(parameter) in given}


def fit_of(model: nn.Module, checkpoint: Checkpoint) -> Fit:
    """How the checkpoint's weights fit `model`, as `load_into` sees them."""
    with world_of(model):
        return compare(model, named_as_in(model, checkpoint.state, checkpoint.path))


def named_as_in(model: nn.Module, state: dict[str, Tensor], where: object) -> dict[str, Tensor]:
    """`state` under the names of `model`, as `aligned`, or as the library that the model is of would name it."""
    own = model.state_dict()
    found = aligned(own, state, where)
    if not compare(model, found).exact:
        candidates = (aligned(own, candidate, where) for candidate in renamed(model, state))
        found = next((candidate for candidate in candidates if compare(model, candidate).exact), found)
    return found


def load_into(model: nn.Module, checkpoint: Checkpoint, spec: str) -> None:
    """Load the weights, in the model's own precision; CheckpointError lists what does not fit."""
    with world_of(model):
        _load(model, checkpoint, spec)


def _load(model: nn.Module, checkpoint: Checkpoint, spec: str) -> None:
    state = named_as_in(model, checkpoint.state, checkpoint.path)
    fit = compare(model, state)
    if not fit.exact:
        raise CheckpointError(
            f"{checkpoint.path} does not fit the model {spec}: {len(fit.lines())} entries differ.",
            "Check --model, and each --model-arg (num_classes, width, depth).",
            fit.lines(),
        )
    names = {name for name, _ in model.named_parameters()}
    wrong = [name for name in state if name in names and not _finite(state[name])]
    if wrong:
        raise CheckpointError(
            f"{checkpoint.path} holds NaN or infinity in {len(wrong)} of its weights.",
            "The network diverged, or the file is damaged.",
            wrong,
        )
    # What a lazy module has not made yet takes the shapes of the state dict.
    try:
        model.load_state_dict(state, strict=False)
    except Exception as error:
        # Networks may load their weights in ways of their own.
        raise CheckpointError(f"{checkpoint.path} does not load into the model {spec}: {reason(error)}.") from error


def _finite(tensor: Tensor) -> bool:
    """Whether no number is NaN or infinite; by the least and the largest, which take no memory."""
    ordered = tensor.is_floating_point() and tensor.element_size() > 1  # torch cannot compare those of float8
    if not ordered or not tensor.numel():
        return bool(torch.isfinite(tensor).all())
    return all(map(math.isfinite, torch.stack(torch.aminmax(tensor)).tolist()))
