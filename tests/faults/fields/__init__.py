"""A field of another type than expected: every field of every format that icc reads, in turn one of many values."""

from collections.abc import Iterator
from pathlib import Path

from tests.faults.fields import arrays, texts, torch_files
from tests.faults.fields.change import Try
from tests.faults.files import Good

NAME = "fields"
FORMATS = (
    torch_files.checkpoints, torch_files.foreign, torch_files.trained,
    arrays.caches, arrays.metadata, arrays.arrays, arrays.npz,
    texts.records, texts.runs, texts.tables, texts.grids, texts.lists,
)  # fmt: skip


def group(name: str) -> str:
    """What a try is counted under: its format."""
    return name.split()[0]


def tries(folder: Path) -> Iterator[Try]:
    """Each try's name, which begins with its format, and what raises AssertionError when it does not hold."""
    good = Good(folder)
    for make in FORMATS:
        yield from make(good)
