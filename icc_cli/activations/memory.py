"""How many samples a forward pass can take, and what running out of memory looks like."""

import torch

from icc_cli.machine import free_memory

LARGEST_BATCH = {"cpu": 256, "cuda": 1024}
LIVE_MAPS = 6
"""Copies of the largest pre-activation that a forward pass holds at once, generously counted."""
SHARE = 0.5
"""Share of the free memory that a forward pass may take."""


def batch_for(elements: int, device: torch.device) -> int:
    """The largest power of two of samples that memory carries, when one sample's largest pre-activation has
    `elements` numbers; at least 1, at most 256 on a CPU and 1,024 on a GPU, where more no longer pays."""
    most = LARGEST_BATCH.get(device.type, 256)
    fitting = SHARE * free_bytes(device) / (LIVE_MAPS * 4 * max(1, elements))
    while most > 1 and most > fitting:
        most //= 2
    return most


def free_bytes(device: torch.device) -> float:
    """Memory that is free on `device`."""
    return float(torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory())


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
