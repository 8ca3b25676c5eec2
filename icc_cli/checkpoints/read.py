"""From a file to a state dict and what the file says of it. Nothing in the file is executed."""

import hashlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from icc_cli.checkpoints import about, unsafe
from icc_cli.checkpoints.harmless import STAND_INS
from icc_cli.checkpoints.identity import (
    AGAIN,
    STATE_DICT_HINT,
    is_safetensors,
    is_torch,
    refuse_what_is_something_else,
)
from icc_cli.checkpoints.suspect import check_archive, check_safetensors, check_tensors
from icc_cli.checkpoints.unwrap import unwrap
from icc_cli.errors import CheckpointError
from icc_cli.folders import INDEX, checkpoints_in, parts_by_name, whole_name
from icc_cli.resources import check_memory
from icc_cli.shapes import (
    DATA,
    JsonObject,
    anything,
    fields,
    fits,
    mapping,
    number,
    one_of,
    optional,
    plain,
    require,
    shown,
    table,
    whole,
    words,
)

FORMAT = "icc-checkpoint"
VERSION = 1
_SHAPE = fields(
    {
        "state_dict": table,
        "model": fields({"spec": words, "args": mapping(plain)}, {}),
        "hparams": mapping(plain),
        "metrics": mapping(optional(number)),
    },
    {"data": optional(DATA), "epoch": optional(whole)},
    anything,
)
"""What `icc train` saves."""
TORCH_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
"""The number that begins a file of torch.save in its older format."""


@dataclass(frozen=True)
class Checkpoint:
    """One network's weights, and what its file says of the network, its data and its training.

    `name` is what records call it: the file's name, or as much of its path as tells it from others.
    """

    path: Path
    state: dict[str, Tensor]
    weights_sha256: str
    model: JsonObject | None = None
    data: JsonObject | None = None
    hparams: JsonObject = field(default_factory=dict)
    metrics: JsonObject = field(default_factory=dict)
    epoch: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.path.name)


def read(path: Path, state_key: str | None = None, unsafe_pickle: bool = False) -> Checkpoint:
    """Read a checkpoint with `weights_only=True`, or a safetensors file, whichever it is by its content.

    `state_key` says which entry of the file holds the state dict, dots separating levels. `unsafe_pickle`
    allows the file to run code. Raises CheckpointError for a file that cannot be read safely, that holds no
    state dict, or several, or that is something else.
    """
    path = _only_one_in(path) if path.is_dir() else path
    if INDEX.fullmatch(path.name):
        content: Any = _joined(path, unsafe_pickle)
    else:
        _refuse_a_part(path)
        content = _content(path, unsafe_pickle)
    if isinstance(content, Mapping) and content.get("format") == FORMAT and state_key is None:
        return _own(path, content)
    state = unwrap(content, path, state_key)
    check_tensors(path, state)
    return Checkpoint(
        path,
        state,
        weights_sha256(state),
        data=about.normalisation(content) or None,
        hparams=about.hparams(content),
        metrics=about.metrics(content),
        epoch=about.epoch(content),
        name=whole_name(path.name),
    )


def _content(path: Path, unsafe_pickle: bool) -> Any:
    refuse_what_is_something_else(path)
    check_memory(path.stat().st_size, f"reading {path}", CheckpointError)
    return _read_safetensors(path) if _by_safetensors(path) else _read_torch(path, unsafe_pickle)


def _only_one_in(folder: Path) -> Path:
    """The one checkpoint in `folder`, as Hugging Face's libraries save it; CheckpointError when it is not one."""
    if (folder / ".metadata").is_file():
        raise CheckpointError(
            f"{folder} is a checkpoint of torch.distributed, in parts.",
            f"Join them: python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} net.pt",
        )
    inside = checkpoints_in(folder, [item.name for item in folder.iterdir() if item.is_file()])
    if len(inside) != 1:
        several = "of several checkpoints" if inside else "without a checkpoint"
        raise CheckpointError(f"{folder} is a folder {several}.", "Name one file of it." if inside else "", [*inside])
    return folder / next(iter(inside.values()))


def _joined(index: Path, unsafe_pickle: bool) -> dict[str, Any]:
    """The content of a checkpoint in parts. CheckpointError when one is missing, or lacks what it should have."""
    where = parts_by_name(index)
    parts: dict[str, Any] = {}
    for file in dict.fromkeys(where.values()):
        if not (index.parent / file).is_file():
            raise CheckpointError(f"{index} names {file}, which is missing.", "Fetch all parts.")
        parts[file] = _content(index.parent / file, unsafe_pickle)
        if not isinstance(parts[file], Mapping):
            raise CheckpointError(f"{index.parent / file} holds no tensors by name.")
    lost = [name for name, file in where.items() if name not in parts[file]]
    if lost:
        raise CheckpointError(f"{len(lost)} tensors are not in the parts that {index} names.", AGAIN, lost)
    return {name: parts[file][name] for name, file in where.items()}


def _refuse_a_part(path: Path) -> None:
    """CheckpointError for one part of a checkpoint, which an index beside it says that it is."""
    if re.search(r"-\d+-of-\d+\.", path.name) is None:
        return
    for index in sorted(item for item in path.parent.iterdir() if INDEX.fullmatch(item.name)):
        try:
            files = set(parts_by_name(index).values())
        except CheckpointError:
            continue
        if path.name in files and len(files) > 1:
            raise CheckpointError(f"{path} is one of the {len(files)} parts of a checkpoint.", f"Name {index}.")


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """sha256 over each tensor's name, dtype, shape and bytes, in the order of the sorted names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _own(path: Path, content: Mapping[str, Any]) -> Checkpoint:
    if not fits(one_of(VERSION), content.get("version")):
        raise CheckpointError(
            f"{path} has checkpoint version {shown(content.get('version'))}, and this icc reads version {VERSION}.",
            "Update icc.",
        )
    hint = "Train it again, or take its weights alone with --state-key state_dict."
    require(_SHAPE, content, path, hint, CheckpointError)
    state = unwrap(content["state_dict"], path, None)
    check_tensors(path, state)
    return Checkpoint(
        path,
        state,
        weights_sha256(state),
        dict(content["model"]),
        content.get("data"),
        dict(content["hparams"]),
        dict(content["metrics"]),
        content.get("epoch"),
    )


def _by_safetensors(path: Path) -> bool:
    return is_safetensors(path) or (path.suffix == ".safetensors" and not is_torch(path))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    import safetensors
    from safetensors.torch import load_file

    check_safetensors(path)
    try:
        return load_file(path)
    except (OSError, safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {_reason(error)}.", AGAIN) from error


def _read_torch(path: Path, unsafe_pickle: bool) -> Any:
    check_archive(path)
    try:
        with torch.serialization.safe_globals(list(STAND_INS)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols and the like, which is ours to judge
            if unsafe_pickle:
                return unsafe.load(path)
            try:
                with path.open("rb") as stream:  # by name, torch would take another reader for some suffixes
                    return torch.load(stream, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError as error:
                raise _refusal(path, error) from error
    except CheckpointError:
        raise
    except MemoryError as error:
        raise CheckpointError(f"{path} asks for more memory than there is.", "Is the file damaged?") from error
    except Exception as error:
        # A damaged pickle can raise anything at all from inside the unpickler.
        raise CheckpointError(f"{path} is damaged, or is not a PyTorch checkpoint: {_reason(error)}.", AGAIN) from error


def _refusal(path: Path, error: Exception) -> CheckpointError:
    """Why the safe unpickler refused `path`, with the globals that it would have had to import."""
    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:
        # The file is too damaged to be listed, or is of the legacy format that torch cannot list.
        names = []
    if not names:
        names = re.findall(r"GLOBAL (\S+)", str(error))
    if names:
        return CheckpointError(
            f"{path} holds Python objects that could run code when read, and is refused.",
            "Save its state_dict alone, or, if you trust where it comes from, add --unsafe-pickle. It names:",
            names,
        )
    if (protocol := _protocol(path)) > 3 and "Unsupported operand" in str(error):
        return CheckpointError(
            f"{path} is pickled with protocol {protocol}, which torch reads safely in no version.",
            "Save it with torch's own (pickle_protocol=2), or, if you trust where it comes from, add --unsafe-pickle.",
        )
    with path.open("rb") as stream:
        start = stream.read(64)
    if start[:1] == b"\x80" and TORCH_MAGIC not in start:
        return CheckpointError(f"{path} is a plain pickle, which is not a PyTorch checkpoint.", STATE_DICT_HINT)
    return CheckpointError(f"{path} is damaged, or is not a PyTorch checkpoint.", AGAIN)


def _protocol(path: Path) -> int:
    """The protocol that the pickle of a file of torch.save says that it is written in; 0 when it says none."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            start = archive.open(member).read(2)
    except (zipfile.BadZipFile, OSError, ValueError, StopIteration):
        start = b""
    return start[1] if start[:1] == b"\x80" and len(start) == 2 else 0


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".")[:200] if text else type(error).__name__
