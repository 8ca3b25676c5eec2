"""The inputs of a command: files, folders and lists of paths, each with the path that its outputs are named after."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from icc_cli.cli._streams import lines
from icc_cli.errors import UsageError
from icc_cli.files import check_told, is_file, is_folder
from icc_cli.folders import CHECKPOINT_SUFFIXES, DISTRIBUTED, NO_NETWORK, checkpoints_in, whole_name
from icc_cli.parts import siblings, whole_of
from icc_cli.stages import CACHE, CHECKPOINT, next_step

if TYPE_CHECKING:
    from icc_cli.subject import ModelRequest

CACHE_SUFFIXES = (".h5",)
MEASURED = (*CACHE_SUFFIXES, *CHECKPOINT_SUFFIXES)
"""What `measure` takes: caches, or checkpoints."""
NOT_CHECKPOINTS = (*CHECKPOINT_SUFFIXES, *CACHE_SUFFIXES, ".json", ".jsonl", ".csv", ".py", ".txt", ".npz", ".zip")
RECORD_SUFFIXES = (".jsonl", ".json")
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Input:
    """One input file, and the relative path that its outputs are named after."""

    path: Path
    name: Path
    whole: bool = False
    """Its outputs keep the suffix of its name, which alone tells it from another input."""

    def output(self, suffix: str) -> Path:
        """What its output of this suffix is called."""
        base = self.name.name if self.whole else self.name.name.removesuffix(self.name.suffix)
        return self.name.parent / (base + suffix)


def expand(
    arguments: Iterable[str], suffixes: tuple[str, ...], note: Callable[[str], None] = lambda text: None
) -> Iterable[Input]:
    """The files that `arguments` name: files, folders (searched for `suffixes`, sorted), or `-` (paths on stdin).

    Standard input is read as it comes, so that a pipeline's commands overlap. Hidden files, ours while they
    are being written, are passed over. Inputs of one name are told apart by as much of their paths as that takes, and
    those that differ in their suffix by that.
    `note` is told of what a folder holds beside that may have been meant. UsageError for a folder that holds nothing
    of the kind. A list, whose length is known, where standard input is not among them.
    """
    arguments = list(arguments)
    found = _expanded(arguments, suffixes, note)
    return found if STANDARD_INPUT in arguments else list(found)


def _expanded(arguments: list[str], suffixes: tuple[str, ...], note: Callable[[str], None]) -> Iterator[Input]:
    named = [argument for argument in arguments if argument != STANDARD_INPUT]
    groups = {argument: list(_expand_path(Path(argument), suffixes, note)) for argument in named}
    listed = _told_apart([(Path(argument), groups[argument]) for argument in dict.fromkeys(named)])
    taken = {item.name: item.path for items in listed for item in items}
    together = with_suffixes([item for items in listed for item in items])
    outputs = {item.output(""): item.path for item in together}
    yield from together
    if STANDARD_INPUT in arguments:
        for line in lines():
            for item in _expand_path(Path(line.strip()), suffixes, note):
                free = _with_free_name(item, taken)
                other = outputs.setdefault(free.output(""), free.path) != free.path
                yield replace(free, whole=other)


def with_models(inputs: Iterable[Input], request: "ModelRequest") -> Iterable[Input]:
    """The same inputs; where a table names their models, once each is known to have its line, and each line one."""
    if request.map is None:
        return inputs
    listed = list(inputs)
    request.map.check(item.name.as_posix() for item in listed)
    return listed


def _told_apart(groups: list[tuple[Path, list[Input]]]) -> list[list[Input]]:
    """The inputs of each argument; where two arguments give one name, with so many of their last folders before it
    that the names differ."""
    folders = [path.absolute().parts if is_folder(path) else path.absolute().parts[:-1] for path, _ in groups]
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


def with_suffixes(items: Sequence[Input]) -> list[Input]:
    """`items`, those whose outputs would have one name kept apart by their suffixes: net.pt.h5 and net.pth.h5."""
    items = list(items)
    while True:
        users: dict[Path, set[Path]] = {}
        for item in items:
            users.setdefault(item.output(""), set()).add(item.path.absolute())
        shared = [not item.whole and len(users[item.output("")]) > 1 for item in items]
        if not any(shared):
            return items
        items = [replace(item, whole=item.whole or other) for item, other in zip(items, shared, strict=True)]


def may_be_checkpoint(path: Path) -> bool:
    """Whether a file with another suffix begins as torch.save's and safetensors' do."""
    if path.name.startswith(".") or path.suffix in NOT_CHECKPOINTS:
        return False
    if not is_file(path):
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


def is_cache(path: Path) -> bool:
    """Whether a file is one of activations, by its name."""
    return path.suffix in CACHE_SUFFIXES and not path.name.startswith(".")


def _of_cache(path: Path) -> Input:
    """A cache; of one in parts the first, under the name of the whole."""
    whole = whole_of(path)
    if whole is None:
        return Input(path, Path(path.name))
    return Input(siblings(path)[0], Path(whole.name))


def _expand_path(path: Path, suffixes: tuple[str, ...], note: Callable[[str], None]) -> Iterator[Input]:
    if not is_folder(path):
        yield (
            _of_cache(path) if path.suffix in suffixes and is_cache(path) else Input(path, Path(whole_name(path.name)))
        )
        return
    if suffixes == MEASURED:
        # A folder of both is one of caches: they are what its checkpoints have become.
        held = any(is_cache(Path(name)) for _, _, names in os.walk(path, onerror=check_told) for name in names)
        suffixes = CACHE_SUFFIXES if held else CHECKPOINT_SUFFIXES
    found: dict[tuple[str, ...], str] = {}
    beside: list[str] = []
    unreadable: list[str] = []

    def passed_over(error: OSError) -> None:
        check_told(error)
        unreadable.append(error.filename)

    for folder, inner, files in os.walk(path, onerror=passed_over):
        inner[:] = [name for name in inner if not name.startswith(".")]
        if suffixes == CHECKPOINT_SUFFIXES:
            kept = checkpoints_in(Path(folder), files)
            beside += [name for name in files if NO_NETWORK.fullmatch(name) or may_be_checkpoint(Path(folder, name))]
            if any(name.endswith(DISTRIBUTED) for name in files):
                kept[""] = ""
        else:
            named = [name for name in sorted(files) if name.endswith(suffixes) and not name.startswith(".")]
            kept = {_of_cache(Path(name)).name.name: _of_cache(Path(name)).path.name for name in named}
        parts = Path(folder).relative_to(path).parts
        found |= {(*parts, name): file for name, file in kept.items()}
    if beside:
        shown = ", ".join(dict.fromkeys(sorted(beside)))
        note(f"{path}: passed over {shown}; name a file to have it read.")
    for folder in unreadable:
        yield Input(Path(folder), Path(Path(folder).absolute().name))  # which fails, and says why
    if not found and not unreadable:
        taken = ((CACHE_SUFFIXES, CACHE), (CHECKPOINT_SUFFIXES, CHECKPOINT))
        wanted = [stage for known, stage in taken if set(known) & set(suffixes)]
        raise UsageError(f"the folder {path} holds no {' or '.join(suffixes)} file.", next_step(path, *wanted))
    for parts, file in sorted(found.items()):
        yield Input(path.joinpath(*parts[:-1], file), Path(*parts) if any(parts) else Path(path.absolute().name))
