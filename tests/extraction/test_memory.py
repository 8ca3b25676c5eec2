"""The batch that is chosen for a forward pass, and freed memory that is kept."""

import subprocess
import sys

import pytest
import torch

from icc_cli.extraction import memory

CPU, GIB = torch.device("cpu"), 2**30


@pytest.mark.parametrize(
    ("elements", "free", "batch"),
    [
        (32 * 32 * 32, 16 * GIB, 128),  # the paper's first site
        (64 * 64 * 64, 16 * GIB, 32),  # 1 MiB a sample: 32 fill what is kept
        (64 * 112 * 112, 16 * GIB, 8),  # ImageNet's first site: 10 would fill it
        (64 * 1000 * 1000, 16 * GIB, 4),  # no more than memory carries
        (64 * 1000 * 1000, 2**20, 1),
        (0, 16 * GIB, 128),
    ],
)
def test_the_batch_fits_what_is_kept_and_what_is_free(elements, free, batch, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: free)
    assert memory.batch_for(elements, CPU) == batch


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_kept():
    """Pages that an array of 16 MB takes from the system anew, after one of its size was freed."""
    program = """
import resource, numpy as np
from icc_cli.resources import keep_freed_memory
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def taken():
    before = faults()
    np.ones(15_000_000, np.uint8)
    return faults() - before
{}
taken()
print(sum(taken() for _ in range(20)))
"""
    plain, kept = (
        int(subprocess.run([sys.executable, "-c", program.format(call)], check=True, capture_output=True).stdout)
        for call in ("", "keep_freed_memory()")
    )
    assert kept < 20 < plain
