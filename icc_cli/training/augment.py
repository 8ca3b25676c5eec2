"""Augmentation of a batch where it lies: shifts filled by reflection, and horizontal flips."""

import torch
import torch.nn.functional as F
from torch import Tensor


def shift_and_flip(images: Tensor, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Each image (B, C, H, W) shifted by up to `shift` pixels both ways, and mirrored half of the time."""
    count, _, height, width = images.shape
    device = images.device
    padded = F.pad(images, (shift,) * 4, mode="reflect") if shift else images
    draws = torch.randint(0, 2 * shift + 1, (2, count), generator=generator).to(device)
    rows = draws[0][:, None] + torch.arange(height, device=device)
    columns = draws[1][:, None] + torch.arange(width, device=device)
    if flip:
        mirrored = (torch.rand(count, generator=generator) < 0.5).to(device)
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    batch = torch.arange(count, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
