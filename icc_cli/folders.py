"""Which files of a folder are checkpoints, told from their names; and checkpoints in parts, told from their index."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from icc_cli.errors import CheckpointError
from icc_cli.shapes import anything, fields, mapping, parsed, require, shown, words

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar", ".safetensors")
NO_NETWORK = re.compile(
    r"(optimizer|optim|scheduler|scaler|training_args|rng_state\w*|random_states\w*|sampler\w*)\.(pt|pth|bin|pkl)"
)
"""What Hugging Face's Trainer and Accelerate save beside a network."""
INDEX = re.compile(r"(.+\.(?:safetensors|bin|pt|pth))\.index(?:\.[\w-]+)?\.json")
"""`model.safetensors.index.json`, and what the file would be called if it were one."""
LONGEST_NAME = 255
"""Bytes of a file's name, on any system."""
_INDEX = fields({"weight_map": mapping(words)}, {}, anything)
DISTRIBUTED = ".distcp"
"""The suffix of the parts that torch.distributed writes into a folder."""


def checkpoints_in(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """The checkpoints among the `files` of `folder`: what each is called, and its file, or the index of its parts.

    Hidden files, and what training loops save beside a network, are passed over.
    """
    named = [name for name in sorted(files) if name.endswith(CHECKPOINT_SUFFIXES) and not name.startswith(".")]
    found = {name: name for name in named if not NO_NETWORK.fullmatch(name)}
    for index in sorted(filter(INDEX.fullmatch, files)):
        try:
            parts = set(parts_by_name(folder / index).values())
        except CheckpointError:
            parts = set()  # told when it is read
        found = {name: file for name, file in found.items() if name not in parts}
        whole = whole_name(index)
        found[index if whole in found else whole] = index
    return found


def whole_name(name: str) -> str:
    """What a checkpoint in parts is called, from the name of its index; any other name as it is."""
    match = INDEX.fullmatch(name)
    return match[1] if match else name


def parts_by_name(index: Path) -> dict[str, str]:
    """In which file of the same folder each tensor is. CheckpointError when `index` does not say it."""
    hint = "It is not the index of a checkpoint in parts."
    try:
        text = index.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {index}: {error.strerror}.") from error
    content = parsed(text, index, hint, CheckpointError)
    require(_INDEX, content, index, hint, CheckpointError)
    table: dict[str, str] = content["weight_map"]
    if not table:
        raise CheckpointError(f"{index}: weight_map is empty, expected the file of each tensor.", hint)
    strange = [file for file in table.values() if Path(file).name != file or len(os.fsencode(file)) > LONGEST_NAME]
    if strange:
        raise CheckpointError(f"{index} names {shown(strange[0])}, which is not in its folder.")
    return table
