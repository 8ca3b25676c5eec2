"""A network as a function of its weights."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from icc_cli.errors import CheckpointError
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.fixed import only_size
from icc_cli.extraction.forward import outputs_of
from icc_cli.extraction.inference import exact_float32, hold_in_inference
from icc_cli.extraction.outputs import Logits, find
from icc_cli.extraction.study import check_outputs
from icc_cli.perturbation.samples import Samples

STATISTICS = 128
"""Images whose mean and variance batch norm takes, in batch-statistics mode, at the most."""
SHARE = 0.1
"""Share of the images that one draw of the reference search meets."""


@dataclass(frozen=True)
class WeightSpace:
    """A network in float32 with dropout off, the weights that are perturbed, and the samples whose accuracy counts.

    `weights` are leaf tensors by name, one for each tensor of parameters, shared ones once, frozen ones like any
    other; `fixed` holds the other parameters and the buffers.
    """

    network: nn.Module
    weights: dict[str, Tensor]
    fixed: dict[str, Tensor]
    samples: Samples
    batch_statistics: bool
    batch_size: int
    where: Logits
    """Where the logits are in what the network gives."""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def labels(self) -> Tensor:
        return self.samples.labels

    @property
    def share(self) -> int:
        """Images of one draw of the reference search: a tenth, in batch-statistics mode no fewer than 128."""
        least = min(STATISTICS, len(self)) if self.batch_statistics else 1
        return max(round(SHARE * len(self)), least)

    @property
    def statistics_batch(self) -> int:
        """Images in a batch of the batch-statistics mode, so that `share` is cut into equal parts."""
        return -(-self.share // math.ceil(self.share / STATISTICS))

    def logits(self, weights: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        """Logits (B, classes) with `weights` in the place of the network's own, which stay as they are."""
        return self.where.of(functional_call(self.network, {**self.fixed, **weights}, (inputs,)), len(inputs))

    def correct(self, weights: Mapping[str, Tensor], rows: Tensor) -> int:
        """How many of `rows` (B,) are classified right, taken in batches."""
        parts = -(-len(rows) // (self.statistics_batch if self.batch_statistics else self.batch_size))
        with torch.no_grad():
            return int(
                sum(
                    right(self.logits(weights, self.samples.inputs(part)), self.labels[part]).sum()
                    for part in torch.tensor_split(rows, max(parts, 1))
                )
            )

    def accuracy(self) -> float:
        """Accuracy without perturbation over all images (in random order where batches have a part in it)."""
        rows = torch.arange(len(self), device=self.labels.device)
        if self.batch_statistics:
            rows = torch.randperm(len(self), generator=torch.Generator().manual_seed(0)).to(rows.device)
        return self.correct(self.weights, rows) / len(self)


def _outputs(network: nn.Module, few: Arguments) -> Any:
    try:
        return outputs_of(network, few)
    except CheckpointError as error:
        if size := only_size(network, few, error):
            raise CheckpointError(
                f"the model takes batches of {size} samples only, and sharpness needs batches of any size.",
                "Let its forward pass ask for the size: x.view(len(x), -1).",
            ) from error
        raise


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Where (..., B) the largest of `logits` (..., B, classes) is the label's; NaN and infinity are never right."""
    return (logits.argmax(-1) == labels) & logits.isfinite().all(-1)


def weight_space(
    network: nn.Module, samples: Samples, *, kernels_only: bool, batch_statistics: bool, batch_size: int
) -> WeightSpace:
    """The weight space of one measure; `network` stays as it is, since a copy is taken.

    `kernels_only` perturbs weights of more than one dimension alone. With `batch_statistics`, batch norm layers
    use the mean and variance of each batch; the copy has no running ones, so that nothing could change them.
    CheckpointError when the network does not take the samples or has too few outputs for their labels.
    """
    network = copy.deepcopy(network).to(samples.labels.device).float().requires_grad_(False)
    hold_in_inference(network)
    if batch_statistics:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.running_mean = module.running_var = None
                module.track_running_stats = False
    few = samples.inputs(torch.arange(min(2, len(samples)), device=samples.labels.device))
    with torch.no_grad(), exact_float32():
        outputs = _outputs(network, Arguments((few,)))
    where = find(outputs, len(few), int(samples.labels.max()) + 1)
    check_outputs(where.of(outputs, len(few)).shape[1], int(samples.labels.max()))
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    chosen = {name for name, tensor in parameters.items() if tensor.dim() > 1 or not kernels_only}
    return WeightSpace(
        network,
        {name: parameters[name] for name in parameters if name in chosen},
        {name: tensor for name, tensor in parameters.items() if name not in chosen} | dict(network.named_buffers()),
        samples,
        batch_statistics,
        batch_size,
        where,
    )
