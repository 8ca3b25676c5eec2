"""The paper's wide ResNet: four stages of residual blocks separated by three poolings, and one dense layer."""

from torch import Tensor, nn

from icc_cli.models.vgg import STAGES, check_dropout, initialise, scaled

BLOCKS_A_STAGE = 2


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm; ReLU after the first, and after the residual addition."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.relu2 = nn.ReLU(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """(B, outputs, H, W) of (B, inputs, H, W)."""
        residual = self.norm2(self.conv2(self.dropout(self.relu1(self.norm1(self.conv1(inputs))))))
        outputs: Tensor = self.relu2(residual + self.shortcut(inputs))
        return outputs


class WideResNet(nn.Module):
    """See `wrn`."""

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
        channels = scaled(base_width, width)
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        stages: list[nn.Module] = []
        for stage in range(STAGES):
            outputs = scaled(base_width, width) * 2**stage
            blocks: list[nn.Module] = [] if stage == 0 else [nn.MaxPool2d(2, ceil_mode=True)]
            for _ in range(scaled(BLOCKS_A_STAGE, depth)):
                blocks.append(ResidualBlock(channels, outputs, dropout))
                channels = outputs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, num_classes)
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, num_classes) of images (B, in_channels, H, W)."""
        logits: Tensor = self.head(self.pool(self.stages(self.stem(images))).flatten(1))
        return logits


def wrn(
    num_classes: int = 10,
    width: float = 1.0,
    depth: float = 1.0,
    in_channels: int = 3,
    input_size: int = 32,
    dropout: float = 0.0,
    base_width: int = 32,
) -> WideResNet:
    """The paper's wide ResNet: 18 layers and 1,920 neurons at width 1, depth 1; 26 layers at depth 1.5, 2,880
    neurons at width 1.5 or depth 1.5.

    `width` multiplies `base_width`, the first stage's, which doubles after every pooling; `depth` multiplies the
    two blocks of a stage. The stem has no ReLU of its own and both of a block's see the block's own width, which
    is what the paper's neuron counts imply. Dropout lies between a block's convolutions, as Zagoruyko &
    Komodakis (2016) place it. Any `input_size` works, since poolings round up; it is kept for the record.
    """
    return WideResNet(num_classes, width, depth, in_channels, dropout, base_width)
