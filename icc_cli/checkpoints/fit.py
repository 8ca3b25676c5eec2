"""Loading a state dict into a model, or saying exactly what does not fit."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from icc_cli.checkpoints.names import COUNTERS, aligned, same_shape
from icc_cli.checkpoints.read import Checkpoint
from icc_cli.errors import CheckpointError
from icc_cli.loading import reason


@dataclass(frozen=True)
class Fit:
    """How a state dict's entries meet a model's."""

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
    """Which entries of `state` and `model` are missing, unexpected, or of another shape."""
    own = model.state_dict()
    return Fit(
        missing=[key for key in own if key not in state and not key.endswith(COUNTERS)],
        unexpected=[key for key in state if key not in own and not key.endswith(COUNTERS)],
        mismatched=[
            f"{key}: checkpoint {tuple(state[key].shape)}, model {tuple(own[key].shape)}"
            for key in own
            if key in state and not same_shape(own[key], state[key])
        ],
    )


def fit_of(model: nn.Module, checkpoint: Checkpoint) -> Fit:
    """How the checkpoint's weights fit `model`, as `load_into` sees them."""
    return compare(model, aligned(model.state_dict(), checkpoint.state, checkpoint.path))


def load_into(model: nn.Module, checkpoint: Checkpoint, spec: str) -> None:
    """Load the weights, in the model's own precision; CheckpointError lists what does not fit."""
    state = aligned(model.state_dict(), checkpoint.state, checkpoint.path)
    fit = compare(model, state)
    if not fit.exact:
        raise CheckpointError(
            f"{checkpoint.path} does not fit the model {spec}: {len(fit.lines())} entries differ.",
            "Check --model and its arguments (num_classes, width, depth).",
            fit.lines(),
        )
    names = {name for name, _ in model.named_parameters()}
    wrong = [name for name in state if name in names and not torch.isfinite(state[name]).all()]
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
