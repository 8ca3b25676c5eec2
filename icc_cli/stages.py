"""Of which stage of the chain a file is, told from its first bytes, and which command takes it."""

import os
from pathlib import Path
from typing import Any

from icc_cli.files import is_file, is_folder
from icc_cli.hdf5 import ends

HEAD = 1 << 16
MOST_FILES = 100
HDF5 = b"\x89HDF\r\n\x1a\n"
TORCH = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
CHECKPOINT, CACHE, RECORD = "checkpoint", "cache", "record"
TAKES = {
    CHECKPOINT: ("`icc extract` makes a cache of it, and `icc measure` a record", "`icc extract` takes it"),
    CACHE: ("`icc measure` makes a record of it", "`icc measure` takes it"),
    RECORD: ("`icc rank` takes it", "`icc rank` takes it"),
}
"""What happens to a file of each stage: up to a record, and next."""


def stage_of(path: Path) -> str | None:
    """`checkpoint`, `cache` or `record`; of a folder, that of the first of its files that is one; None for others."""
    if is_folder(path):
        files = [Path(folder, name) for folder, _, names in os.walk(path) for name in sorted(names)[:MOST_FILES]]
        return next((stage for file in files[:MOST_FILES] if (stage := stage_of(file))), None)
    if not is_file(path):
        return None
    try:
        with path.open("rb") as stream:
            start = stream.read(HEAD)
    except OSError:
        return None
    if start.startswith(HDF5):
        return CACHE if _is_cache(path) else None
    if start.lstrip().startswith(b"{") and b'"record": "icc-' in start:
        return RECORD
    length = int.from_bytes(start[:8], "little")
    safetensors = start[8:9] == b"{" and length >= 2 and b'"dtype"' in start
    archive = start.startswith(b"PK\x03\x04") and b"data.pkl" in start
    return CHECKPOINT if safetensors or archive or start.startswith(TORCH) else None


def _is_cache(path: Path) -> bool:
    import h5py

    def ours(file: Any) -> bool:
        found = file.attrs.get("format")
        return isinstance(found, str) and found == "icc-activations"

    if not ends(path, "format", ours):
        return False
    try:
        with h5py.File(path, "r") as file:
            return ours(file)
    except (OSError, RuntimeError, KeyError, ValueError):
        return False


def next_step(path: Path, *wanted: str) -> str:
    """What to do with a file, or with what a folder holds, that is of another stage than the `wanted` ones, which the
    command takes; empty for others."""
    stage = stage_of(path)
    if stage is None or stage in wanted:
        return ""
    step = TAKES[stage][RECORD not in wanted]
    return f"It {'holds' if is_folder(path) else 'is'} a {stage}: {step}."
