"""Which files of a folder are checkpoints, told from their names; and checkpoints in parts, told from their index."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from icc_cli.errors import CheckpointError

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar", ".safetensors")
NO_NETWORK = re.compile(
    r"(optimizer|optim|scheduler|scaler|training_args|rng_state\w*|random_states\w*|sampler\w*)\.(pt|pth|bin|pkl)"
)
"""What Hugging Face's Trainer and Accelerate save beside a network."""
INDEX = re.compile(r"(.+\.(?:safetensors|bin|pt|pth))\.index(?:\.[\w-]+)?\.json")
"""`model.safetensors.index.json`, and what the file would be called if it were one."""
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
    try:
        table = json.loads(index.read_bytes())["weight_map"]
    except OSError as error:
        raise CheckpointError(f"cannot read {index}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{index} is not the index of a checkpoint in parts: it has no weight_map.") from error
    if not isinstance(table, dict) or not table or not all(isinstance(file, str) for file in table.values()):
        raise CheckpointError(f"{index} is not the index of a checkpoint in parts: its weight_map holds no file names.")
    strange = [file for file in table.values() if Path(file).name != file]
    if strange:
        raise CheckpointError(f"{index} names {strange[0]!r}, which is not in its folder.")
    return table
