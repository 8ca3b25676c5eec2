"""What a network is called with: tensors by position and by name, each with one row per sample."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from icc_cli.errors import DataError


@dataclass(frozen=True)
class Arguments:
    """The inputs of a batch, (B, ...) each; an image classifier has one, and its images are (B, C, H, W)."""

    positional: tuple[Tensor, ...] = ()
    named: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positional[0] if self.positional else next(iter(self.named.values())))

    def each(self, change: Callable[[Tensor], Tensor]) -> "Arguments":
        """`change` applied to every tensor."""
        return Arguments(tuple(map(change, self.positional)), {n: change(t) for n, t in self.named.items()})

    def rows(self, chosen: slice) -> "Arguments":
        return self.each(lambda tensor: tensor[chosen])

    def to(self, device: torch.device) -> "Arguments":
        return self.each(lambda tensor: tensor.to(device))

    def channels_last(self) -> "Arguments":
        """With images laid out channels last in memory, which convolutions run fastest on."""
        return self.each(lambda t: t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t)

    def contiguous(self) -> "Arguments":
        """With every tensor laid out as a network's author sees it."""
        return self.each(contiguous)

    def filled(self, size: int | None) -> "Arguments":
        """With rows repeated until there are `size` of them; as they are when it is None."""
        count = len(self)
        if size is None or size == count:
            return self
        return self.each(lambda tensor: tensor[torch.arange(size, device=tensor.device) % count])

    def single(self) -> Tensor:
        """The only input; DataError when there are several."""
        if len(self.positional) != 1 or self.named:
            raise DataError("the network has several inputs, and this takes one.", "Give one array of inputs.")
        return self.positional[0]

    def shapes(self) -> str:
        """The shapes of one sample, for people."""
        shapes = [tuple(t.shape[1:]) for t in self.positional]
        text = [f"{shape} (C, H, W)" if len(shape) == 3 else str(shape) for shape in shapes]
        return ", ".join([*text, *(f"{name} {tuple(t.shape[1:])}" for name, t in self.named.items())])


def contiguous(tensor: Tensor) -> Tensor:
    """`tensor` with the strides of a new tensor of its shape.

    `Tensor.contiguous` leaves an axis of size 1 with any stride, by which convolutions take a grey image for one that
    is laid out channels last, and give their result so: then `view` fails.
    """
    return tensor.contiguous().reshape(-1).view(tensor.shape)
