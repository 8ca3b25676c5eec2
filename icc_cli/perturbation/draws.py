"""The magnitude-aware perturbation: what every weight's change is measured by, and the randomness of a draw."""

import hashlib

import torch
from torch import Tensor

OFFSET = 1e-3
"""Added to the size of a weight, so that weights of 0 move too."""


def scale(weight: Tensor) -> Tensor:
    """abs(w) + 1e-3, of the weight's shape: magnitude 1 is a change of this size."""
    return weight.abs() + OFFSET


def generator(seed: str, draw: int, device: torch.device) -> torch.Generator:
    """The randomness of one draw; `seed` stands for the user's seed, the weights and the measure."""
    digest = hashlib.sha256(f"{seed}/{draw}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8]) >> 1)
