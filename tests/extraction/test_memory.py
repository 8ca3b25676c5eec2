"""The batch that is chosen for a forward pass, and freed memory that is kept."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from icc_cli.data import DataSource, load
from icc_cli.errors import CheckpointError
from icc_cli.extraction import Extraction, extract, memory
from icc_cli.extraction.checkpoint import rows_of
from icc_cli.extraction.in_memory import Memory
from icc_cli.extraction.ordered import Listener, SplitSamples
from icc_cli.extraction.sinks import Identity

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


def small_split():
    return load(DataSource("digits", per_class=4)).train


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3))


def taken(model, size, told=None):
    split, sink = small_split(), Memory()
    rows = rows_of(split)
    listener = Listener(note=told.append) if told is not None else Listener()
    images = SplitSamples(split, (0.3,), (0.38,))
    found = extract(model, images, None, rows, sink, Extraction("cpu", size), listener)
    sink.finish(rows, found.predictions, Identity())
    return sink.activations


def test_out_of_memory_halves_the_batch_and_the_numbers_stay():
    inner, sizes, told = network(), [], []

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            sizes.append(len(x))
            if len(x) > 6:
                raise torch.OutOfMemoryError("out of memory")
            return self.inner(x)

    whole = taken(inner, 1000)
    halved = taken(Small(), 32, told)
    tried = sizes[sizes.index(32) :]
    assert tried[:4] == [32, 16, 8, 4] and max(tried[3:]) == 4
    assert told == [f"memory ran out; going on with batches of {size}." for size in (16, 8, 4)]
    np.testing.assert_allclose(halved.sites[0].values, whole.sites[0].values, rtol=1e-5, atol=1e-6)
    assert (halved.predictions == whole.predictions).all()
    taken(inner, None)


def test_one_sample_too_many_is_said():
    class Never(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(CheckpointError, match="one sample takes more memory"):
        taken(Never(), 8)
