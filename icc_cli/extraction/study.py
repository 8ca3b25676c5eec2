"""A look at a network over a few samples, before it is run over all: how it takes them, and what has to be said.

A handful of forward passes over at most four samples, whatever the size of the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from icc_cli.cache import HeadWeights, SiteInfo
from icc_cli.errors import CheckpointError
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.capture import Capture, Known
from icc_cli.extraction.fixed import sizes
from icc_cli.extraction.forward import outputs_of
from icc_cli.extraction.how import Sites
from icc_cli.extraction.inference import held_in_inference
from icc_cli.extraction.outputs import Logits, find

FEW = 4
"""Samples that are looked at."""
SAME = 1e-5
"""Largest difference of two passes over the same samples, as a share of the largest value: more is random."""
NEAR = {"float32": 1e-2, "bfloat16": 0.2}
"""The same for passes in another layout or another batch, by precision: rounding differs, and grows with the depth."""


@dataclass(frozen=True)
class Study:
    """What a look at a network showed."""

    sites: tuple[SiteInfo, ...]
    known: Known
    logits: Logits
    outputs: int
    """Columns of the logits."""
    calls: dict[str, int]
    """How often each activation function is called, whether its calls are sites or not."""
    largest: int
    """Numbers in the largest pre-activation of one sample."""
    beneath: bool = False
    """Some sites are called where only `Beneath` sees them."""
    channels_last: bool = False
    """The network takes images and weights in that layout, and gives the same."""
    batch: int | None = None
    """The size of the only batches that it takes, if it is such a network."""
    alone: bool = True
    """It takes a batch of one sample, and gives what it gives for it among others."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    head: HeadWeights | None = None
    """The last linear layer, when what it gives is the logits."""


def study(
    model: nn.Module,
    few: Arguments,
    wanted: Sites,
    classes: int,
    precision: str = "float32",
    batch_size: int | None = None,
) -> Study:
    """Look at `model`, which is in inference mode, over `few` samples (2 to FEW) of data of `classes` classes.

    Where the model does not take so many samples, `batch_size` is tried, and the sizes that torch names.

    The weights are left channels last where the model takes images and weights so. Raises CheckpointError when the
    model cannot take the samples, has no site or too few outputs, or when a site's neurons cannot be told.
    """
    few = few.contiguous()
    warnings = of_modules(model)
    look = _look(model, few, wanted, classes, batch_size)
    if held_in_inference(model):
        warnings.append(
            "the model puts itself in training mode in its forward pass; it is held in inference mode: dropout off, "
            "batch norm on its running statistics."
        )
    near, two = NEAR[precision], few.rows(slice(2))
    steady = look.agrees(look.turned(two), SAME, strict=True)  # one pass that shows neither of what follows
    random = not steady and not look.agrees(look.values(few), SAME)
    if random:
        warnings.append("the model is random: two passes over the same samples differ; the numbers are of one draw.")
    elif not (steady or any("batch norm" in text for text in warnings) or look.agrees(look.turned(two), near)):
        warnings.append(
            "what the model computes for a sample depends on the others in its batch: the numbers depend on the batch "
            "size and on the order of the samples."
        )
    one = few.rows(slice(1))
    turned_round = not random and _takes_channels_last(look, one, near)
    return Study(
        look.sites,
        look.known,
        look.logits,
        look.outputs,
        dict(look.capture.seen),
        look.capture.largest // len(few),
        look.beneath,
        turned_round,
        look.batch,
        random or turned_round or look.agrees(look.tried(one), near, strict=True),
        tuple(warnings),
        tuple(filter(None, (look.logits.note, look.note))),
        look.head,
    )


def _look(model: nn.Module, few: Arguments, wanted: Sites, classes: int, batch_size: int | None) -> "_Look":
    try:
        return _Look(model, few, wanted, classes)
    except CheckpointError as error:
        if "cannot take" not in error.message:
            raise
        for size in sizes(error, len(few), batch_size):
            try:
                return _Look(model, few, wanted, classes, size)
            except CheckpointError as other:
                if "cannot take" not in other.message:
                    raise
        raise


class _Look:
    """The first pass over the few samples, followed call by call, and others that are compared with it.

    With `batch`, every pass is over so many samples, of which the first count.
    """

    def __init__(self, model: nn.Module, few: Arguments, wanted: Sites, classes: int, batch: int | None = None) -> None:
        self.model, self._wanted, self.batch = model, wanted, batch
        self.capture = Capture(model, wanted, beneath=True)
        count, few = len(few), few.filled(batch)
        with self.capture:
            given = outputs_of(model, few)
        if self.capture.fused:
            raise _inside_recurrent(self.capture.fused)
        sites, values = self.capture.take()
        if not sites:
            raise no_site(self.capture.seen, wanted)
        squashed = self.capture.squashed() if self.capture.squashed is not None else None
        self.logits = find(given, len(few), classes, squashed)
        table = self.logits.of(given, len(few))
        linear = self.capture.linear
        self.head = linear.weights() if linear is not None and linear.gives(table) else None
        self.outputs = table.shape[1]
        check_outputs(self.outputs, classes - 1)
        self.sites, self.known, self.beneath = tuple(sites), self.capture.known, self.capture.saw_beneath
        self._first = [value[:count] for value in (table, *values)]

    @property
    def note(self) -> str:
        return f"the model takes batches of {self.batch} samples only; the last is filled up." if self.batch else ""

    def values(self, inputs: Arguments) -> list[Tensor]:
        """The logits and the sites' values of another pass."""
        capture = Capture(self.model, self._wanted, self.known, self.beneath)
        count, inputs = len(inputs), inputs.filled(self.batch)
        with capture:
            given = outputs_of(self.model, inputs)
        return [value[:count] for value in (self.logits.of(given, len(inputs)), *capture.take()[1])]

    def tried(self, inputs: Arguments) -> list[Tensor] | None:
        """`values`, or None when the model does not take these inputs."""
        try:
            return self.values(inputs)
        except CheckpointError:
            return None

    def turned(self, inputs: Arguments) -> list[Tensor] | None:
        """As `tried`, with the samples in the other order."""
        values = self.tried(inputs.rows(slice(self.batch)).each(lambda tensor: tensor.flip(0)))
        return None if values is None else [value.flip(0) for value in values]

    def agrees(self, values: list[Tensor] | None, tolerance: float, strict: bool = False) -> bool:
        """Whether `values`, of the first samples, are the first pass's; what was not taken at all agrees unless
        `strict`."""
        if values is None:
            return not strict
        return len(values) == len(self._first) and all(
            one.shape[1:] == other.shape[1:] and _close(one, other[: len(one)], tolerance)
            for one, other in zip(values, self._first, strict=True)
        )


def _close(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Whether the largest difference is within a share of the largest value; NaN and infinity are left to the run."""
    if one.shape != other.shape:
        return False
    one, other = one.float(), other.float()
    difference, size = (one - other).abs().max(), other.abs().max()
    return not bool(torch.isfinite(size)) or bool(difference <= tolerance * size)


def _takes_channels_last(look: _Look, one: Arguments, tolerance: float) -> bool:
    """Whether the model gives the same for one sample with images and weights in that layout; if so, it is left so."""
    if not any(tensor.dim() == 4 for tensor in (*one.positional, *one.named.values())):
        return False
    weights = [(parameter, parameter.data) for parameter in look.model.parameters()]
    with torch.inference_mode(False):
        channels_last(look.model)
    taken = False
    try:
        taken = look.agrees(look.tried(one.channels_last()), tolerance, strict=True)
    finally:
        for parameter, data in weights if not taken else ():
            parameter.data = data
    return taken


def channels_last(model: nn.Module) -> None:
    """Lay out the weights of convolutions over images as CPUs and GPUs run them fastest."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)


def of_modules(model: nn.Module) -> list[str]:
    """What has to be said of a network's modules. CheckpointError for batch norm that has diverged."""
    lost = []
    for name, module in model.named_modules():
        if not isinstance(module, _NormBase):
            continue
        for statistic in (module.running_mean, module.running_var):
            if statistic is not None and not torch.isfinite(statistic).all():
                raise CheckpointError(
                    f"the running statistics of {name} hold NaN or infinity.", "The network diverged during training."
                )
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            lost.append(name)
    if not lost:
        return []
    named = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
    return [
        f"batch norm without running statistics ({named}): what the model computes for a sample depends on the others "
        "in its batch, and the numbers on the batch size."
    ]


def check_outputs(outputs: int, largest_label: int) -> None:
    """CheckpointError when there are fewer outputs than labels."""
    if outputs <= largest_label:
        raise CheckpointError(
            f"the model has {outputs} outputs, and the data's labels go up to {largest_label}.",
            "Check --data, --hierarchy and the model's num_classes.",
        )


def no_site(seen: Mapping[str, int], wanted: Sites) -> CheckpointError:
    """Why there is no site: globs that match none, or activation functions that were not asked for."""
    names = ", ".join(wanted.activations)
    others = [f"{name} ({count} calls)" for name, count in seen.items() if name not in wanted.activations]
    if any(name in wanted.activations for name in seen):
        return CheckpointError(f"no site of {names} is left by --sites and --exclude-sites.", "Widen the globs.")
    return CheckpointError(
        f"the model does not call {names} in its forward pass, so there is no site to extract.",
        f"It calls {', '.join(others)}: name them with --activations."
        if others
        else "A site is a call of a function by its name, in Python or TorchScript, or torch.where(x > 0, x, 0) and "
        "the like; what a compiled kernel or other arithmetic computes is not seen.",
    )


def _inside_recurrent(fused: Mapping[str, str]) -> CheckpointError:
    name, kind = next(iter(fused.items()))
    return CheckpointError(
        f"{name} is called inside the recurrent layer's {kind}, once per time step in one operation; it is not a site.",
        f"Leave it out with --exclude-sites '{name}', and take the activation functions that follow the layer.",
    )
