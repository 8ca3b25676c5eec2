"""How many samples a forward pass can take, and what running out of memory looks like."""

import torch

from icc_cli.resources import LARGEST_KEPT, free_memory

LARGEST_BATCH = {"cpu": 128, "cuda": 1024}
SMALLEST_FAST_BATCH = 8
"""Under this a CPU's convolutions lose more than memory that comes back from the system costs."""
LIVE_MAPS = 6
"""Copies of the largest pre-activation that a forward pass holds at once, generously counted."""
SHARE = 0.5
"""Share of the free memory that a forward pass may take."""


def batch_for(elements: int, device: torch.device) -> int:
    """The power of two of samples that is fastest, when one sample's largest pre-activation has `elements` numbers.

    On a GPU the most that memory carries, up to 1,024, after which more no longer pays. On a CPU up to 128, and no
    more than leaves the largest pre-activation within what `keep_freed_memory` keeps, if these are 8 or more.
    """
    size = 4 * max(1, elements)
    most = LARGEST_BATCH.get(device.type, LARGEST_BATCH["cpu"])
    fitting = SHARE * free_bytes(device) / (LIVE_MAPS * size)
    if device.type == "cpu":
        fitting = min(fitting, max(SMALLEST_FAST_BATCH, LARGEST_KEPT / size))
    while most > 1 and most > fitting:
        most //= 2
    return most


def free_bytes(device: torch.device) -> float:
    """Memory that is free on `device`."""
    return float(torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory())


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, on a GPU or a CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
