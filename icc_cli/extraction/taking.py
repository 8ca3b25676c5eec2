"""The sites of one network, taken batch after batch and held to what a first look showed."""

import contextlib
from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from icc_cli.cache import SiteInfo
from icc_cli.cache.schema import HEAD, LOGITS
from icc_cli.errors import CheckpointError
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.batches import too_large
from icc_cli.extraction.capture import Capture
from icc_cli.extraction.forward import outputs_of
from icc_cli.extraction.how import Extraction
from icc_cli.extraction.memory import batch_for, ran_out
from icc_cli.extraction.study import FEW, Study, check_outputs, study

FLOAT16_MAX = 65504.0


class Taking:
    """Takes the sites of `model`, which is on `device` in inference mode; a context manager around all batches.

    `few` samples, of data of `classes` classes, are looked at first.
    """

    def __init__(self, model: nn.Module, device: torch.device, how: Extraction, few: Arguments, classes: int) -> None:
        self._model, self._device, self._how = model, device, how
        self._gradients = False
        given, few = len(few), few.rows(slice(FEW)).to(device)
        try:
            self.study = self._study(few if len(few) > 1 else few.filled(2), classes, how.batch_size or given)
        except Exception as error:
            if ran_out(error):
                raise too_large() from error
            raise
        self._capture = Capture(model, how.sites, self.study.known, self.study.beneath)
        self.tables = (*self.study.sites, *_beside(self.study))
        self._shapes = [(site.name, site.kind, site.neurons) for site in self.study.sites]

    def _study(self, few: Arguments, classes: int, batch_size: int) -> Study:
        """Look at the few samples; with gradients when the model takes them in no other way."""
        options = (self._how.sites, classes, self._how.precision, batch_size)
        try:
            with self._mode():
                return study(self._model, few, *options)
        except CheckpointError:
            self._gradients = True
            with contextlib.suppress(CheckpointError), self._mode():
                return study(self._model, few, *options)
            self._gradients = False
            raise

    @contextlib.contextmanager
    def _mode(self) -> Iterator[None]:
        gradients = torch.enable_grad() if self._gradients else torch.inference_mode()
        with gradients, torch.autocast(self._device.type, torch.bfloat16, enabled=self._how.precision == "bfloat16"):
            yield

    def __enter__(self) -> "Taking":
        self._capture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.__exit__(kind, value, trace)

    @property
    def batch_size(self) -> int:
        """Samples a forward pass: as the model wants, as asked for, or what fits a sample's largest pre-activation."""
        return self.study.batch or self._how.batch_size or batch_for(self.study.largest, self._device)

    def least(self, inputs: Arguments) -> Arguments:
        """The first samples of `inputs`, no more than the model has to be given at once."""
        few = inputs.rows(slice(1 if self.study.alone else FEW))
        return few.filled(self.study.batch).to(self._device)

    def logits(self, inputs: Arguments) -> Tensor:
        """Logits (B, classes) of a batch, in the precision asked for."""
        count = len(inputs)
        inputs = inputs.filled(self.study.batch or (2 if count == 1 and not self.study.alone else None))
        inputs = inputs.to(self._device)
        inputs = inputs.channels_last() if self.study.channels_last else inputs.contiguous()
        with self._mode():
            logits = self.study.logits.of(outputs_of(self._model, inputs), len(inputs))
        return logits[:count].detach()

    def take(self, inputs: Arguments, largest_label: int) -> tuple[NDArray[np.int64], list[Tensor]]:
        """The classes (B,) that the network finds, and its `tables`: its sites' pooled pre-activations, (B, neurons)
        each, the inputs of its head when it has one, and its logits."""
        self._capture.begin()
        logits = self.logits(inputs)
        found, values = self._capture.take()
        check_outputs(logits.shape[1], largest_label)
        if [(site.name, site.kind, site.neurons) for site in found] != self._shapes:
            raise CheckpointError("the model calls its activation functions differently from batch to batch.")
        count = len(inputs)
        if self.study.head is not None:
            linear = self._capture.linear
            if linear is None or linear.inputs.shape[1:] != (self.study.head.weight.shape[1],):
                raise CheckpointError("the model calls its last linear layer differently from batch to batch.")
            values = [*values, linear.inputs.detach()]
        values = [*values, logits]
        if count == 1 or self.study.batch is not None:
            values = [value[:count] for value in values]
        if any(len(value) != count for value in values):
            raise CheckpointError("the model mixes samples before an activation: its batch dimension changes.")
        classes: NDArray[np.int64] = logits.argmax(dim=1).cpu().numpy()
        return classes, values

    def blocks(self, values: Sequence[Tensor]) -> list[NDArray[np.float32]]:
        """What `take` gave, as checked float32 arrays; may be called in another thread."""
        blocks = [value.float().numpy(force=True) for value in values]
        for site, block in zip(self.tables, blocks, strict=True):
            check_finite(site.name, block, self._how.store_dtype if site.is_site else "float32")
        return blocks


def _beside(study: Study) -> list[SiteInfo]:
    """The tables that come after the sites."""
    logits = SiteInfo(LOGITS, LOGITS, study.outputs, 1)
    return [logits] if study.head is None else [SiteInfo(HEAD, HEAD, study.head.weight.shape[1], 1), logits]


def check_finite(name: str, block: NDArray[np.float32], store_dtype: str) -> None:
    """CheckpointError when a site holds NaN or infinity, or what its type cannot store."""
    largest = max(block.max(initial=0.0), -block.min(initial=0.0))
    if not np.isfinite(largest):
        raise CheckpointError(
            f"site {name} gives NaN or infinity.", "The network diverged, or its weights are damaged."
        )
    if store_dtype == "float16" and largest > FLOAT16_MAX:
        raise CheckpointError(f"site {name} reaches {largest:.3g}, too large for float16.", "Store float32.")
