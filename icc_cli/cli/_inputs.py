"""The inputs of a command: files, folders and lists of paths, each with the path that its outputs are named after."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from icc_cli.errors import UsageError

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar", ".safetensors")
NO_NETWORK = re.compile(
    r"(optimizer|optim|scheduler|scaler|training_args|rng_state\w*|random_states\w*|sampler\w*)\.(pt|pth|bin|pkl)"
)
"""What Hugging Face's Trainer and Accelerate save beside a network."""
CACHE_SUFFIXES = (".h5",)
NOT_CHECKPOINTS = (*CHECKPOINT_SUFFIXES, *CACHE_SUFFIXES, ".json", ".jsonl", ".csv", ".py", ".txt", ".npz", ".zip")
RECORD_SUFFIXES = (".jsonl", ".json")


@dataclass(frozen=True)
class Input:
    """One input file, and the relative path that its outputs are named after."""

    path: Path
    name: Path


def expand(
    arguments: Iterable[str], suffixes: tuple[str, ...], note: Callable[[str], None] = lambda text: None
) -> Iterator[Input]:
    """The files that `arguments` name: files, folders (searched for `suffixes`, sorted), or `-` (paths on stdin).

    Standard input is read as it comes, so that a pipeline's commands overlap. Hidden files, ours while they
    are being written, are passed over. Inputs of one name are told apart by as much of their paths as that takes.
    `note` is told of what a folder holds beside that may have been meant. UsageError for a folder that holds nothing
    of the kind.
    """
    arguments = list(arguments)
    named = [argument for argument in arguments if argument != "-"]
    groups = {argument: list(_expand_path(Path(argument), suffixes, note)) for argument in named}
    listed = _told_apart([(Path(argument), groups[argument]) for argument in dict.fromkeys(named)])
    taken = {item.name: item.path for items in listed for item in items}
    yield from (item for items in listed for item in items)
    if "-" in arguments:
        for line in sys.stdin:
            if line.strip():
                for item in _expand_path(Path(line.strip()), suffixes, note):
                    yield _with_free_name(item, taken)


def _told_apart(groups: list[tuple[Path, list[Input]]]) -> list[list[Input]]:
    """The inputs of each argument; where two arguments give one name, with so many of their last folders before it
    that the names differ."""
    folders = [path.absolute().parts if path.is_dir() else path.absolute().parts[:-1] for path, _ in groups]
    depths = [0] * len(groups)
    while True:
        named = [
            [Input(item.path, Path(*parts[len(parts) - depth :], item.name)) for item in items]
            for parts, depth, (_, items) in zip(folders, depths, groups, strict=True)
        ]
        users: dict[Path, dict[Path, int]] = {}
        for number, items in enumerate(named):
            for item in items:
                users.setdefault(item.name, {})[item.path.absolute()] = number
        shared = {number for paths in users.values() if len(paths) > 1 for number in paths.values()}
        longer = {number for number in shared if depths[number] < len(folders[number]) - 1}
        if not longer:
            return named
        depths = [depth + (number in longer) for number, depth in enumerate(depths)]


def may_be_checkpoint(path: Path) -> bool:
    """Whether a file with another suffix begins as torch.save's and safetensors' do."""
    if path.name.startswith(".") or path.suffix in NOT_CHECKPOINTS:
        return False
    try:
        with path.open("rb") as stream:
            start = stream.read(400)
    except OSError:
        return False
    return (start.startswith(b"PK\x03\x04") and b"/data.pkl" in start) or start.startswith(b"\x80\x02\x8a\nl\xfc")


def _with_free_name(item: Input, taken: dict[Path, Path]) -> Input:
    """`item`, its folders before its name until no other path has it."""
    folders = item.path.absolute().parts[: -len(item.name.parts)][1:]
    names = [Path(*folders[len(folders) - depth :], item.name) for depth in range(len(folders) + 1)]
    name = next((name for name in names if taken.setdefault(name, item.path) == item.path), item.name)
    return Input(item.path, name)


def _expand_path(path: Path, suffixes: tuple[str, ...], note: Callable[[str], None]) -> Iterator[Input]:
    if not path.is_dir():
        yield Input(path, Path(path.name))
        return
    names: list[tuple[str, ...]] = []
    beside: list[str] = []
    for folder, inner, files in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".")]
        kept = [name for name in files if name.endswith(suffixes) and not name.startswith(".")]
        if suffixes == CHECKPOINT_SUFFIXES:
            others = [name for name in kept if NO_NETWORK.fullmatch(name)]
            kept = [name for name in kept if name not in others]
            beside += others + [name for name in files if name not in kept and may_be_checkpoint(Path(folder, name))]
        parts = Path(folder).relative_to(path).parts
        names += [(*parts, name) for name in kept]
    if beside:
        shown = ", ".join(dict.fromkeys(sorted(beside)))
        note(f"{path}: passed over {shown}; name a file to have it read.")
    if not names:
        raise UsageError(f"the folder {path} holds no {' or '.join(suffixes)} file.")
    for parts in sorted(names):
        yield Input(path.joinpath(*parts), Path(*parts))
