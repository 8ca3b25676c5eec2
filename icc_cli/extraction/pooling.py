"""From a pre-activation of any shape to (samples, neurons): which axis holds the neurons, and what is pooled."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from icc_cli.errors import CheckpointError
from icc_cli.extraction.axes import Axes, kind_of

AXIS_HINT = (
    "Say which axis holds its units or channels: --neuron-axis '{name}=1', counted from 0, or from -1 at the end."
)
VECTOR = 32
"""Channels that torch's maximum takes at a time."""


@dataclass(frozen=True)
class Pooling:
    """How the pre-activations of one site are reduced.

    - "dense": (samples, units) is kept, as a copy, since what follows may change it in place;
    - "map": feature maps (samples, channels, positions ...) are reduced by the maximum over the positions;
    - "tokens": so is (samples, positions ..., units); a neuron is a unit, as a feature map is.
    """

    kind: str
    dimensions: int
    axis: str
    """Where the neurons are, for people: "1 of (samples, 16, 8)"."""
    because: str
    """What says so: "conv1d in features.0"."""
    reduced: tuple[int, ...] = ()
    """Axes to take the maximum over."""
    split: tuple[int, ...] | None = None
    """Shape to give the pre-activation before that, -1 for the samples, where one axis holds several things."""
    order: tuple[int, ...] | None = None
    """The axes that are left, samples first, where they are not in that order."""

    def __call__(self, preactivation: Tensor) -> Tensor:
        """Pooled pre-activations (samples, neurons), which share no memory with what was given."""
        if self.split is not None:
            preactivation = preactivation.reshape(self.split)
        pooled = _largest(preactivation, self.reduced) if self.reduced else preactivation.clone()
        if self.order is not None:
            pooled = pooled.permute(self.order)
        return pooled if pooled.dim() == 2 else pooled.flatten(1)


def _largest(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The maximum over `axes`, as float32."""
    slow = values.dtype == torch.bfloat16 or (values.dtype == torch.float32 and values.shape[1] % VECTOR)
    if slow and axes == (2, 3) and values.is_cpu and values.is_contiguous(memory_format=torch.channels_last):
        return F.max_pool2d(values, values.shape[2:]).flatten(1).float()  # the same numbers, up to ten times as fast
    # In float32 at once: on a CPU the maximum of bfloat16 maps is slow, and the same.
    return values.float().amax(axes)


def pooling_of(name: str, shape: tuple[int, ...], axes: Axes | None, samples: int, chosen: int | None) -> Pooling:
    """The pooling of the site `name`, whose pre-activation has `shape`, of which `axes` is known.

    `samples` is the size of the batch, `chosen` the axis that the user says holds the neurons. CheckpointError when
    there is no axis of samples, or no telling which one the neurons are on.
    """
    if chosen is not None:
        return _chosen(name, shape, axes, samples, chosen)
    if len(shape) == 2 and shape[0] == samples and (axes is None or _is_samples(axes, 0)):
        return Pooling("dense", 2, _shown(1, shape, 0), axes.source if axes else "the only axis beside the samples")
    if axes is not None and len(shape) == 2 and shape[1] == samples and _is_samples(axes, 1):
        return Pooling("dense", 2, _shown(0, shape, 1), axes.source, order=(1, 0))
    if axes is None or axes.samples != samples:
        raise CheckpointError(
            f"site {name} has a pre-activation of shape {shape} for {samples} samples, and which of its axes are the "
            "samples' cannot be known.",
            AXIS_HINT.format(name=name) + " The samples then have to be on axis 0.",
        )
    places = [place for place, axis in enumerate(axes.axes) if kind_of(axis) == "units"]
    if not places:
        raise CheckpointError(
            f"site {name} has a pre-activation of shape {shape}, and no layer before it says which axis holds its "
            "units.",
            AXIS_HINT.format(name=name),
        )
    return _split(axes, shape, places)


def _chosen(name: str, shape: tuple[int, ...], axes: Axes | None, samples: int, chosen: int) -> Pooling:
    first = next((place for place in range(len(shape)) if axes is not None and _is_samples(axes, place)), 0)
    if not -len(shape) <= chosen < len(shape) or chosen % len(shape) == first or shape[first] != samples:
        raise CheckpointError(
            f"site {name} has a pre-activation of shape {shape} for {samples} samples, and axis {chosen} cannot hold "
            "its neurons.",
            "Choose another --neuron-axis.",
        )
    place = chosen % len(shape)
    reduced = tuple(axis for axis in range(len(shape)) if axis not in (place, first))
    kind = "dense" if not reduced else "map" if place < min(reduced) else "tokens"
    order = (1, 0) if place < first else None
    return Pooling(kind, len(shape), _shown(place, shape, first), "--neuron-axis", reduced, order=order)


def _split(axes: Axes, shape: tuple[int, ...], places: list[int]) -> Pooling:
    """The pooling by atoms: what is not samples in an axis of units is neurons, what is in no such axis is pooled."""
    split: list[int] = []
    roles: list[str] = []
    for place, axis in enumerate(axes.axes):
        for atom in axis:
            split.append(-1 if atom.kind == "samples" else atom.size)
            roles.append("samples" if atom.kind == "samples" else "units" if place in places else "positions")
        if not axis:
            split.append(1)
            roles.append("units" if place in places else "positions")
    reduced = tuple(place for place, role in enumerate(roles) if role == "positions")
    left = [role for role in roles if role != "positions"]
    order = (left.index("samples"), *(place for place, role in enumerate(left) if role == "units"))
    first = next(place for place, axis in enumerate(axes.axes) if any(atom.kind == "samples" for atom in axis))
    kind = "dense" if not reduced else "map" if roles.index("units") < reduced[0] else "tokens"
    shown = ", ".join(str(place) for place in places)
    plain = len(split) == len(shape)
    return Pooling(
        kind,
        len(shape),
        _shown(shown, shape, first),
        axes.source,
        reduced,
        None if plain else tuple(split),
        None if order == tuple(range(len(order))) else order,
    )


def _is_samples(axes: Axes, place: int) -> bool:
    return len(axes.axes[place]) == 1 and axes.axes[place][0].kind == "samples"


def _shown(place: int | str, shape: tuple[int, ...], first: int) -> str:
    sizes = ["samples" if axis == first else str(size) for axis, size in enumerate(shape)]
    return f"{place} of ({', '.join(sizes)})"
