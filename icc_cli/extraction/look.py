"""What a network's sites are, seen without its data: for `icc inspect`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from icc_cli.errors import CheckpointError, UsageError
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.how import Sites
from icc_cli.extraction.inference import inference
from icc_cli.extraction.study import FEW, Study, study
from icc_cli.resources import check_memory

SIDES = (224, 32, 28, 64, 96, 16, 8, 128, 256, 299, 384)
"""Of images that networks are customarily made for, in the order in which they are tried."""
CPU = torch.device("cpu")


def sample_shapes(network: nn.Module, arguments: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """Shapes of one sample that the network may take: what it says that it is made for, else customary images."""
    if "in_channels" in arguments and "input_size" in arguments:
        size = int(arguments["input_size"])
        return [(int(arguments["in_channels"]), size, size)]
    said = getattr(network, "default_cfg", {}).get("input_size", (3, None, None))
    found: Any = (module.in_channels for module in network.modules() if hasattr(module, "in_channels"))
    first = int(next(found, said[0]))
    return [(first, side, side) for side in SIDES] if said[1] is None else [(first, int(said[1]), int(said[2]))]


def look_at(network: nn.Module, shapes: Sequence[tuple[int, ...]], wanted: Sites) -> tuple[tuple[int, ...], Study]:
    """The first of `shapes` that the network takes, and what random samples of it show.

    Whole numbers are tried where the network has an embedding and takes no others. CheckpointError, of the first shape,
    when it takes none, or has no site.
    """
    refused: CheckpointError | None = None
    with inference(network, CPU), torch.inference_mode():
        for shape in shapes:
            for sample in _samples(network, shape):
                try:
                    return shape, study(network, Arguments((sample,)), wanted, 1)
                except CheckpointError as error:
                    if "cannot take" not in error.message:
                        raise
                    refused = refused or error
    assert refused is not None
    hint = "Give the shape of one sample: --image C,H,W." if len(shapes) > 1 else refused.hint
    raise CheckpointError(refused.message, hint)


def _samples(network: nn.Module, shape: tuple[int, ...]) -> list[torch.Tensor]:
    check_memory(4 * FEW * math.prod(shape), f"a pass of {FEW} samples {shape}", UsageError, "Is their size right?")
    generator = torch.Generator().manual_seed(0)
    found = [torch.randn(FEW, *shape, generator=generator)]
    sizes = [module.num_embeddings for module in network.modules() if isinstance(module, nn.Embedding)]
    if sizes:
        found.append(torch.randint(0, min(sizes), (FEW, *shape), generator=generator))
    return found
