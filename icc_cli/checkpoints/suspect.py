"""Files that are refused before they are read: other programs' formats, and archives that would fill the memory."""

import contextlib
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from icc_cli.checkpoints.identity import AGAIN, STATE_DICT_HINT, is_archive, refuse_foreign_archive
from icc_cli.errors import CheckpointError
from icc_cli.shapes import mapping, parsed, require, table

CHUNK = 2**22
_HEADER = mapping(table)
"""Of safetensors: the entry of each tensor, which the library reads."""
LARGEST_EXPANSION = 2**30
"""Bytes that tensors may claim beyond the storage that the file holds for them, or ..."""
MOST_TIMES = 4
"""... so many times that storage: weights that several names share are hashed under each."""


def check_archive(path: Path) -> None:
    """Refuse what torch.save does not write, TorchScript, torch.export, other programs' archives, compressed or
    overlapping ones, and an archive whose own checksums say that it is damaged."""
    if not is_archive(path):
        return
    with _opened(path) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    if any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(f"{path} is a TorchScript program, not a checkpoint.", STATE_DICT_HINT)
    if any(name.endswith(("exported_program.json", "models/model.json", "archive_format")) for name in names):
        raise CheckpointError(f"{path} is a torch.export program, not a checkpoint.", STATE_DICT_HINT)
    refuse_foreign_archive(path, names)
    size = path.stat().st_size
    if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > size:
        raise CheckpointError(
            f"{path} is a compressed archive, which torch.save does not write.", "Unpack it, or save it again."
        )
    if damaged := _damaged(path):
        raise CheckpointError(f"{path} is damaged: the checksum of its part {damaged} does not fit.", AGAIN)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive, CheckpointError when its list of contents cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise CheckpointError(f"{path} is damaged: {error}.", AGAIN) from error


def _damaged(path: Path) -> str | None:
    """The first member whose CRC-32 is not the one noted with it. torch.save may be told to note none: 0."""
    with _opened(path) as archive:
        for member in archive.infolist():
            try:
                with archive.open(member) as stream:
                    while stream.read(CHUNK):
                        pass
            except zipfile.BadZipFile as error:
                if member.CRC or "CRC" not in str(error):
                    return member.filename
            except (OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
                return member.filename
    return None


def check_safetensors(path: Path) -> None:
    """Refuse a header that is larger than the file, or not an object."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if 8 + length > size:
            raise CheckpointError(f"{path} is not a readable safetensors file: it is cut, or no such file.", AGAIN)
        header = parsed(stream.read(length), f"the header of {path}", AGAIN, CheckpointError)
        require(_HEADER, header, f"the header of {path}", AGAIN, CheckpointError)


def check_tensors(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose numbers are not there to be hashed: sparse, quantised, on no device, or expanded, and many
    names of one storage."""
    claimed, stored = 0, {}
    for name, tensor in state.items():
        kind = (
            "sparse"
            if tensor.layout != torch.strided
            else "quantised"
            if tensor.is_quantized
            else "without numbers (on the meta device)"
            if tensor.is_meta
            else ""
        )
        if kind:
            raise CheckpointError(f"{path} holds the tensor {name!r}, which is {kind}.", "Save dense float weights.")
        claimed += tensor.numel() * tensor.element_size()
        stored[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
    held = sum(stored.values())
    if claimed - held > max(LARGEST_EXPANSION, MOST_TIMES * held):
        raise CheckpointError(
            f"{path} holds tensors that claim {(claimed - held) / 2**30:.0f} GiB more than the file stores.",
            "Is it damaged?",
        )
