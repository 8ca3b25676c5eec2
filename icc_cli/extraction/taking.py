"""The sites of one network, taken batch after batch and held to what the first batch showed."""

from collections.abc import Sequence
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.cache import SiteInfo
from icc_cli.errors import CheckpointError
from icc_cli.extraction.capture import Capture
from icc_cli.extraction.forward import forward
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.memory import batch_for

FLOAT16_MAX = 65504.0


class Taking:
    """Takes the sites of `model`, which is on `device` in inference mode; a context manager around all batches."""

    def __init__(self, model: nn.Module, device: torch.device, how: Extraction) -> None:
        self._model, self._device, self._how = model, device, how
        self._capture = Capture(model, how.sites)
        self.sites: list[SiteInfo] = []
        """What the first batch showed."""

    def __enter__(self) -> "Taking":
        self._capture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.__exit__(kind, value, trace)

    def batch_size(self, one: Tensor) -> int:
        """Samples a forward pass: as asked for, or what fits the largest pre-activation of `one` sample."""
        if self._how.batch_size is not None:
            return self._how.batch_size
        capture = Capture(self._model)
        with capture:
            self.logits(one)
        return batch_for(capture.largest, self._device)

    def logits(self, inputs: Tensor) -> Tensor:
        """Logits (B, classes) of inputs (B, ...), in the precision asked for."""
        inputs = inputs.to(self._device)
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._how.precision == "bfloat16"):
            return forward(self._model, inputs)

    def take(self, inputs: Tensor, largest_label: int) -> tuple[NDArray[np.int64], list[Tensor]]:
        """The classes (B,) that the network finds, and its sites' pooled pre-activations, (B, neurons) each."""
        self._capture.begin()
        outputs = self.logits(inputs)
        found, values = self._capture.take()
        if not found:
            raise no_site(self._capture, self._how.sites.activations)
        check_outputs(outputs, largest_label)
        if not self.sites:
            self.sites = found
        elif found != self.sites:
            raise CheckpointError("the model calls its activation functions differently from batch to batch.")
        if any(len(value) != len(inputs) for value in values):
            raise CheckpointError("the model mixes samples before an activation: its batch dimension changes.")
        classes: NDArray[np.int64] = outputs.argmax(dim=1).cpu().numpy()
        return classes, values

    def blocks(self, values: Sequence[Tensor]) -> list[NDArray[np.float32]]:
        """What `take` gave, as checked float32 arrays; may be called in another thread."""
        blocks = [value.float().numpy(force=True) for value in values]
        for site, block in zip(self.sites, blocks, strict=True):
            check_finite(site.name, block, self._how.store_dtype)
        return blocks


def check_outputs(outputs: Tensor, largest_label: int) -> None:
    """CheckpointError when there are fewer outputs than labels."""
    if outputs.shape[1] <= largest_label:
        raise CheckpointError(
            f"the model has {outputs.shape[1]} outputs, and the data's labels go up to {largest_label}.",
            "Check --data, --hierarchy and the model's num_classes.",
        )


def check_finite(name: str, block: NDArray[np.float32], store_dtype: str) -> None:
    """CheckpointError when a site holds NaN or infinity, or what its type cannot store."""
    largest = max(block.max(initial=0.0), -block.min(initial=0.0))
    if not np.isfinite(largest):
        raise CheckpointError(
            f"site {name} gives NaN or infinity.", "The network diverged, or its weights are damaged."
        )
    if store_dtype == "float16" and largest > FLOAT16_MAX:
        raise CheckpointError(f"site {name} reaches {largest:.3g}, too large for float16.", "Store float32.")


def no_site(capture: Capture, activations: tuple[str, ...]) -> CheckpointError:
    """Why there is no site: globs that match none, or activation functions that were not asked for."""
    wanted = ", ".join(activations)
    others = [f"{name} ({count} calls)" for name, count in capture.seen.items() if name not in activations]
    if any(name in activations for name in capture.seen):
        return CheckpointError(f"no site of {wanted} is left by --sites and --exclude-sites.", "Widen the globs.")
    return CheckpointError(
        f"the model does not call {wanted} in its forward pass, so there is no site to extract.",
        f"It calls {', '.join(others)}: name them with --activations." if others else "",
    )
