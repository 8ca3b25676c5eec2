"""The paper's augmentation, for a whole batch on the device: reflected shifts and horizontal flips."""

import torch
from torch import Tensor


def take(images: Tensor, rows: Tensor, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """The images `rows` (B,) of `images` (N, H, W, C), each shifted by up to `shift` pixels both ways, and flipped
    with probability 1/2 when `flip`.

    What a shift uncovers is filled by reflection about the outermost pixel, which is not repeated, as numpy's
    "reflect". One gather does it all, so nothing is padded or copied first. Shifts must be smaller than the images.
    Returns (B, H, W, C).
    """
    _, height, width, _ = images.shape
    y = _window(len(rows), height, shift, generator, images.device)
    x = _window(len(rows), width, shift, generator, images.device)
    if flip:
        flipped = torch.rand(len(rows), 1, generator=generator, device=images.device) < 0.5
        x = torch.where(flipped, x.flip(1), x)
    return images[rows[:, None, None], y[:, :, None], x[:, None, :]]


def _window(count: int, size: int, shift: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(count, size) source positions of a window of `size` moved by -shift..shift, reflected into the image."""
    start = torch.randint(-shift, shift + 1, (count, 1), generator=generator, device=device)
    position = (start + torch.arange(size, device=device)).abs()
    return (size - 1) - ((size - 1) - position).abs()
