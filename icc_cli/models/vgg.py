"""The paper's VGG variant: four stages of convolutions separated by three poolings, and one dense layer."""

from torch import Tensor, nn

from icc_cli.errors import UsageError

STAGES = 4
CONVOLUTIONS_A_STAGE = 2


def scaled(base: int, factor: float) -> int:
    """`base` times `factor`, rounded; UsageError when nothing is left."""
    if round(base * factor) < 1:
        raise UsageError(f"a factor of {factor} leaves nothing of {base} layers or feature maps.", "Use a larger one.")
    return round(base * factor)


def check_dropout(dropout: float) -> None:
    """UsageError unless `dropout` is a probability under 1."""
    if not 0 <= dropout < 1:
        raise UsageError(f"dropout is a probability under 1, got {dropout}.")


class ConvolutionBlock(nn.Sequential):
    """3 x 3 convolution, batch norm, ReLU, dropout."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        if dropout > 0:
            self.dropout = nn.Dropout(dropout)


class VGG(nn.Module):
    """See `vgg`."""

    def __init__(
        self,
        num_classes: int,
        width: float,
        depth: float,
        in_channels: int,
        dropout: float,
        base_width: int,
    ) -> None:
        super().__init__()
        check_dropout(dropout)
        channels = in_channels
        stages: list[nn.Module] = []
        for stage in range(STAGES):
            outputs = scaled(base_width, width) * 2**stage
            blocks: list[nn.Module] = [] if stage == 0 else [nn.MaxPool2d(2, ceil_mode=True)]
            for _ in range(scaled(CONVOLUTIONS_A_STAGE, depth)):
                blocks.append(ConvolutionBlock(channels, outputs, dropout))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes) of images (B, in_channels, H, W)."""
        logits: Tensor = self.head(self.pool(self.stages(images)).flatten(1))
        return logits


def initialise(model: nn.Module) -> None:
    """He initialisation of convolutions (fan out, ReLU), zero biases of dense layers."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


def vgg(
    num_classes: int = 10,
    width: float = 1.0,
    depth: float = 1.0,
    in_channels: int = 3,
    input_size: int = 32,
    dropout: float = 0.0,
    base_width: int = 32,
) -> VGG:
    """The paper's VGG: 9 layers and 960 neurons at width 1, depth 1; 13 layers at depth 1.5, 1,440 neurons at
    width 1.5 or depth 1.5.

    `width` multiplies `base_width`, the first stage's, which doubles after every pooling; `depth` multiplies the
    two convolutions of a stage. Dropout follows every ReLU. Any `input_size` works, since poolings round up;
    it is kept for the record.
    """
    return VGG(num_classes, width, depth, in_channels, dropout, base_width)
