"""What the two families share: the widths of the four stages, the pooling between them, the head, the weights."""

from torch import Tensor, nn

from icc_cli.errors import UsageError

STAGES = 4
BASE_WIDTH = 32
"""Feature maps of the first stage at width factor 1; doubled after every pooling."""
UNITS_PER_STAGE = 2
"""Convolutions (VGG) or blocks (wide ResNet) of a stage at depth factor 1."""


def stage_widths(width: float, base_width: int) -> list[int]:
    """Feature maps of each stage: `base_width` x `width`, rounded, then doubled after every pooling."""
    first = round(base_width * width)
    if first < 1:
        raise UsageError(f"width {width} times base width {base_width} leaves no feature map.", "Use a larger width.")
    return [first << stage for stage in range(STAGES)]


def units_per_stage(depth: float) -> int:
    """Convolutions or blocks of each stage: 2 x `depth`, rounded."""
    units = round(UNITS_PER_STAGE * depth)
    if units < 1:
        raise UsageError(f"depth {depth} leaves no layer in a stage.", "Use 0.5 or more.")
    return units


def check(num_classes: int, in_channels: int, dropout: float) -> None:
    """UsageError for a value that no network can have."""
    if num_classes < 1 or in_channels < 1:
        raise UsageError(f"a network needs classes and channels, got {num_classes} and {in_channels}.")
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is a probability under 1, got {dropout}.")


def pooling() -> nn.MaxPool2d:
    """2 x 2 max pooling; an odd map keeps its last row and column, so that inputs of any size pass three of them."""
    return nn.MaxPool2d(2, ceil_mode=True)


class Head(nn.Module):
    """Global average pooling and one dense layer: (N, n, h, w) to (N, num_classes)."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        logits: Tensor = self.dense(maps.mean((2, 3)))
        return logits


def initialise(network: nn.Module) -> None:
    """He et al. 2015 for the convolutions (normal, fan out), as is customary for both families."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
