"""What a file is that is no checkpoint, told from its first bytes: the cause that is true, and what to do."""

import contextlib
import re
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from icc_cli.errors import CheckpointError
from icc_cli.hdf5 import ends
from icc_cli.stages import CACHE, RECORD, stage_of

HEAD = 4096
STATE_DICT_HINT = "Save its state_dict() with torch.save, and name the network with --model."
AGAIN = "Copy or save it again."
TEXT_FILES = (".csv", ".tsv", ".txt", ".md", ".py", ".yaml", ".yml", ".toml", ".log")
WEIGHT_FILES = (".pt", ".pth", ".ckpt", ".bin", ".th", ".tar", ".safetensors", ".pkl")

# First bytes, what that is, and what to do about it.
_TEXTS = (
    (rb"version https://git-lfs", "is a Git LFS pointer, not the file itself", "Fetch the file: git lfs pull."),
    (rb"(\.\./)*(\.git)?/annex/objects/", "is a git-annex pointer, not the file itself", "Fetch it: git annex get."),
    (
        rb"\s*(<!doctype html|<html|<head)",
        "is a web page, not a checkpoint",
        "The download went wrong: fetch it again.",
    ),
    (rb"\s*<\?xml", "is a server's answer in XML, not a checkpoint", "The download went wrong: fetch it again."),
    (rb"\s*[\[{]\s*[\"\]}\[{]", "is JSON, not a checkpoint", "Name the file of the weights."),
)
_BINARY = (
    (b"GGUF", "is a GGUF file of llama.cpp, not a checkpoint", STATE_DICT_HINT),
    (b"\x93NUMPY", "is a NumPy array, not a checkpoint", STATE_DICT_HINT),
    (b"\x1f\x8b", "is compressed with gzip", "Unpack it with gunzip."),
    (b"BZh", "is compressed with bzip2", "Unpack it with bunzip2."),
    (b"\xfd7zXZ\x00", "is compressed with xz", "Unpack it with unxz."),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "Unpack it with unzstd."),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "Unpack it."),
    (b"Rar!", "is a rar archive", "Unpack it."),
    (b"\x08\x01\x12", "is a TensorFlow SavedModel, not a PyTorch checkpoint", "icc reads PyTorch's and safetensors."),
)
ONNX = re.compile(rb"\x08[\x01-\x20](\x12|\x1a|\x22|\x3a|\x42)", re.DOTALL)


def refuse_what_is_something_else(path: Path) -> None:
    """Raise CheckpointError, with its true name, for a file that is no checkpoint of PyTorch's or safetensors'."""
    with path.open("rb") as stream:
        start = stream.read(HEAD)
    size = path.stat().st_size
    if not start:
        raise CheckpointError(f"{path} is empty.", AGAIN)
    if not start.strip(b"\0") and _all_zero(path):
        raise CheckpointError(
            f"{path} holds nothing but zeros, so it is not a PyTorch checkpoint.",
            "The copy or the download is not complete.",
        )
    if stage_of(path) == RECORD:
        raise CheckpointError(f"{path} holds records, not a checkpoint.", "Give it to icc rank.")
    if path.suffix.lower() in TEXT_FILES and b"\0" not in start:
        raise CheckpointError(f"{path} is text, not a checkpoint.", "Name the file of the weights.")
    for pattern, what, hint in _TEXTS:
        if re.match(pattern, start, re.IGNORECASE):
            raise CheckpointError(f"{path} {what}.", hint)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        raise _hdf5(path)
    for signature, what, hint in _BINARY:
        if start.startswith(signature):
            raise CheckpointError(f"{path} {what}.", hint)
    if path.suffix == ".onnx" or (ONNX.match(start) and (b"ai.onnx" in start or b"pytorch" in start)):
        raise CheckpointError(f"{path} is an ONNX program, not a checkpoint.", STATE_DICT_HINT)
    if start[4:8] == b"TFL3":
        raise CheckpointError(f"{path} is a TensorFlow Lite model, not a checkpoint.")
    if start.startswith(b"PK\x03\x04") and not is_archive(path):
        raise CheckpointError(f"{path} is damaged: its end is missing ({size:,} bytes are there).", AGAIN)
    if start[257:262] == b"ustar" and (names := _tar_members(path)):
        raise CheckpointError(f"{path} is a tar archive, not a checkpoint.", _unpack(names))


def refuse_foreign_archive(path: Path, names: Sequence[str]) -> None:
    """The same for a zip archive with these members."""
    bases = {name.rpartition("/")[2] for name in names}
    if "_stable_baselines3_version" in bases or {"policy.pth", "pytorch_variables.pth"} <= bases:
        raise CheckpointError(
            f"{path} is a zip archive of Stable-Baselines3, not a checkpoint.",
            "Unpack it and name policy.pth, with the policy's network as --model.",
        )
    if "model.weights.h5" in bases:
        raise CheckpointError(
            f"{path} is a Keras model, not a PyTorch checkpoint.", "icc reads PyTorch's and safetensors."
        )
    if names and all(name.endswith(".npy") for name in names):
        raise CheckpointError(
            f"{path} holds NumPy arrays (.npz), not a checkpoint.",
            "Save them as a state dict: torch.save({name: torch.from_numpy(array)}, ...).",
        )
    if "data.pkl" not in bases and (inner := [name for name in names if name.endswith(WEIGHT_FILES)]):
        raise CheckpointError(f"{path} is a zip archive of other files, not a checkpoint.", _unpack(inner))


def is_safetensors(path: Path) -> bool:
    """Whether a file, whatever its name, begins with the header of safetensors: its length, then an object."""
    with path.open("rb") as stream:
        start = stream.read(10)
    length = int.from_bytes(start[:8], "little")
    return len(start) == 10 and 2 <= length <= path.stat().st_size - 8 and start[8:9] == b"{"


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, whole."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # of one in several volumes, which a damaged one may say that it is
        return False


def is_torch(path: Path) -> bool:
    """Whether a file, whatever its name, begins as torch.save's do: a zip archive, or a pickle."""
    with path.open("rb") as stream:
        return stream.read(2) in (b"PK", b"\x80\x02")


def _hdf5(path: Path) -> CheckpointError:
    import h5py

    def of_keras(file: Any) -> bool:
        return bool({"keras_version", "layer_names", "model_config"} & set(file.attrs)) or "model_weights" in file

    keras = False
    if ends(path, "keras", of_keras):
        with contextlib.suppress(OSError, RuntimeError, KeyError, ValueError), h5py.File(path, "r") as file:
            keras = of_keras(file)
    if keras:
        return CheckpointError(
            f"{path} is a Keras model (HDF5), not a PyTorch checkpoint.", "icc reads PyTorch's and safetensors."
        )
    if stage_of(path) == CACHE:
        return CheckpointError(
            f"{path} is a cache of icc extract, not a PyTorch checkpoint.", "Give it to icc measure."
        )
    return CheckpointError(f"{path} is an HDF5 file, not a PyTorch checkpoint.", STATE_DICT_HINT)


def _tar_members(path: Path) -> list[str]:
    try:
        with tarfile.open(path, "r:") as archive:
            return archive.getnames()
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return []


def _unpack(names: Sequence[str]) -> str:
    return f"Unpack it; it holds {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}."


def _all_zero(path: Path) -> bool:
    with path.open("rb") as stream:
        return all(not block.strip(b"\0") for block in iter(lambda: stream.read(2**20), b""))
