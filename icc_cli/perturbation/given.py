"""`icc_cli.sharpness`: the sharpness of a network that the caller holds, which is left as it was."""

from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from icc_cli.checkpoints import weights_sha256
from icc_cli.errors import DataError
from icc_cli.extraction.forward import device_of
from icc_cli.extraction.given import arrays_of, batches_of, generators_kept
from icc_cli.extraction.inference import random_state_kept
from icc_cli.perturbation.estimate import Settings, Target
from icc_cli.perturbation.samples import Samples, chosen
from icc_cli.perturbation.sharpness import BATCH, Sharpness, seed_of, sharpness_on


class More(TypedDict, total=False):
    """The rarer options of `sharpness`; see Settings."""

    method: str
    kernels_only: bool
    bn: str | None
    ascent_steps: int
    max_samples: int | None


def sharpness(
    model: nn.Module,
    data: Iterable[Any],
    *,
    target: str = "accuracy:0.9",
    modes: tuple[str, ...] = ("random", "worst"),
    tolerance: float = 0.05,
    seed: int = 0,
    **more: Unpack[More],
) -> Sharpness:
    """The sharpness measures of `model` on the training samples `data`, on the model's device.

    `data` gives batches (x, y), as a `DataLoader` does, or is a tuple of arrays (x, y); it is gone over once, and
    held. Inputs are taken as they are: normalise them as in training, and leave augmentation out. The other arguments
    are the command's options (docs/sharpness.md); values equal the command's to the last bit for the same weights and
    the same inputs in the same order.

    The model is copied, and comes back as it went in; so do the states of all random generators. Raises DataError
    for batches that are not as said, CheckpointError when the model does not take them.
    """
    settings = Settings(Target.parse(target), modes=modes, tolerance=tolerance, seed=seed, **more)
    tensors = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    with random_state_kept(), torch.inference_mode(False), torch.enable_grad():
        samples = _held(data, settings, device_of(model))
        return sharpness_on(model, samples, settings, seed_of(settings, weights_sha256(tensors)), BATCH)


def _held(data: Iterable[Any], settings: Settings, device: torch.device) -> Samples:
    """The samples that `settings` choose of all that `data` gives."""
    whole = arrays_of(data, None)
    if whole is not None:
        inputs, labels = whole.inputs.single(), whole.labels
    else:
        with generators_kept(data):
            batches = list(batches_of(data, None))
        if not batches:
            raise DataError("there are no samples.", "Give batches (inputs, labels), or one tuple of such arrays.")
        inputs = torch.cat([batch.inputs.single() for batch in batches])
        labels = np.concatenate([batch.labels for batch in batches])
    rows = torch.from_numpy(chosen(len(labels), settings.max_samples, settings.seed))
    values = inputs[rows].detach().to(device)
    return Samples(values.float() if values.is_floating_point() else values, torch.from_numpy(labels)[rows].to(device))
