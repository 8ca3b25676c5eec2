"""How every command runs: errors to sentences and exit codes, inputs one after another, signals."""

import contextlib
import functools
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer

from icc_cli.cli._report import Reporter
from icc_cli.cluster import shards
from icc_cli.errors import IccError, OutputError, UsageError

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar", ".safetensors")
NO_NETWORK = re.compile(
    r"(optimizer|optim|scheduler|scaler|training_args|rng_state\w*|random_states\w*|sampler\w*)\.(pt|pth|bin|pkl)"
)
"""What Hugging Face's Trainer and Accelerate save beside a network."""
CACHE_SUFFIXES = (".h5",)
NOT_CHECKPOINTS = (*CHECKPOINT_SUFFIXES, *CACHE_SUFFIXES, ".json", ".jsonl", ".csv", ".py", ".txt", ".npz", ".zip")
RECORD_SUFFIXES = (".jsonl", ".json")
SINGLE_FILE_SUFFIXES = (".h5", ".json", ".jsonl", ".csv")

EXIT_SOME_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM arrived: unwind, so that temporary files are removed, and exit with 143."""


def exit_on_sigterm() -> None:
    """Raise Terminated in the main thread when SIGTERM arrives."""

    def handler(signum: int, frame: object) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, handler)


_stopping = False


def finish_on_sigterm() -> None:
    """When SIGTERM arrives finish the input in hand, then stop with 143: for one shard of a longer list."""

    def handler(signum: int, frame: object) -> None:
        global _stopping
        if not _stopping:
            _last_word("terminated: finishing the file in hand ...")
        _stopping = True

    signal.signal(signal.SIGTERM, handler)


def stopping() -> bool:
    """Whether SIGTERM has asked this run to begin nothing more."""
    return _stopping


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that what it raises becomes a sentence on stderr and the spec's exit code.

    A `debug` argument of the command, when true, prints the traceback as well.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except IccError as error:
            if kwargs.get("debug"):
                traceback.print_exc()
            Reporter().error(error)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # The reader of our stdout has gone (`| head -1`): stop, and keep Python from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_BROKEN_PIPE) from None
        except KeyboardInterrupt:
            _last_word("interrupted; finished files are kept, and the same command goes on from them.")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except Terminated:
            _last_word("terminated; finished files are kept, and the same command goes on from them.")
            raise typer.Exit(EXIT_TERMINATED) from None

    return run


def _last_word(text: str) -> None:
    print(f"icc: {text}", file=sys.stderr)


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


INPUT_LIST_VARIABLE = "ICC_INPUT_LIST"
"""Names a file that fixes the list of inputs for every task of a job array, and for tasks that are run again."""


def sharded(inputs: Iterable[Input], shard: str | None, outputs: "Outputs | None" = None) -> Iterable[Input]:
    """The inputs of `shard` ("3/8"); all of them, as they come, when it is None.

    The split needs the whole list, so that standard input is read to its end. Two inputs with the same output
    may fall in different shards, so they are refused here. A shard stops between inputs when SIGTERM arrives.
    """
    if shard is None:
        return inputs
    part = shards.parse(shard)
    finish_on_sigterm()
    listed = [shards.Listed(str(item.path), str(item.name), _bytes(item.path)) for item in inputs]
    if os.environ.get(INPUT_LIST_VARIABLE):
        listed = shards.fixed(Path(os.environ[INPUT_LIST_VARIABLE]), listed)
    items = [Input(Path(item.path), Path(item.name)) for item in listed]
    if not items:
        raise _no_input()
    if outputs is not None:
        for item in items:
            outputs.path(item)
    mine = shards.split([(item.path, item.size) for item in listed], part.count)[part.index - 1]
    if not mine:
        _last_word(f"shard {shard} of {len(items)} inputs is empty.")
        raise typer.Exit(0)
    return [items[index] for index in mine]


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _no_input() -> UsageError:
    return UsageError("there is no input.", "Name files or folders, or pipe paths into `-`.")


Result = TypeVar("Result")


def each(
    inputs: Iterable[Input],
    work: Callable[[Input], Result],
    report: Reporter,
    debug: bool = False,
    done: Callable[[Result], None] = lambda result: None,
    jobs: int = 1,
) -> None:
    """Run `work` on every input, `jobs` at a time, and `done` on what it returns; report one that fails and go on.

    `done` runs in this process, in the order of the inputs. With several jobs `work` must be picklable.
    Raises typer.Exit with the error's own code when there was one input, with 1 when there were more.
    An output that cannot be written stops at once, since the next one could not be either.
    """
    total, failures = 0, []
    if jobs == 1:
        outcomes = _one_by_one(inputs, work, debug)
    else:
        from icc_cli import pool  # which imports multiprocessing

        outcomes = _named(pool.in_processes(inputs, partial(_in_worker, work), jobs, stopping=stopping))
    for _, outcome in outcomes:
        total += 1
        if isinstance(outcome, OutputError):
            raise outcome
        if isinstance(outcome, IccError):
            report.error(outcome)
            failures.append(outcome)
        else:
            done(outcome)
    if stopping():
        raise Terminated
    if total == 0:
        raise _no_input()
    if total > 1 and failures:
        _last_word(f"{len(failures)} of {total} inputs failed; the others are done.")
    if failures:
        raise typer.Exit(failures[0].exit_code if total == 1 else EXIT_SOME_FAILED)


def _one_by_one(
    inputs: Iterable[Input], work: Callable[[Input], Result], debug: bool
) -> Iterator[tuple[Input, Result | IccError]]:
    for item in inputs:
        if stopping():
            return
        outcome: Result | IccError
        try:
            outcome = _existing(work, item)
        except IccError as error:
            if debug:
                traceback.print_exc()
            outcome = error
        yield item, outcome


def _in_worker(work: Callable[[Input], Result], item: Input, tell: object) -> Result:
    return _existing(work, item)


def _named(outcomes: Iterator[tuple[Input, Result | IccError]]) -> Iterator[tuple[Input, Result | IccError]]:
    """The same, with the input's name where its process ended before it could say anything."""
    from icc_cli.pool import ProcessEnded

    for item, outcome in outcomes:
        if isinstance(outcome, ProcessEnded):
            outcome = IccError(f"{item.path} failed: {outcome.message}", outcome.hint)
        yield item, outcome


def _existing(work: Callable[[Input], Result], item: Input) -> Result:
    if not item.path.exists():
        raise UsageError(f"there is no file {item.path}.")
    with contextlib.redirect_stdout(sys.stderr):  # stdout carries data only, whatever a network prints
        return work(item)


class Outputs:
    """Where the output of each input goes: `-o X` is a folder, or a file when X ends in a known suffix."""

    def __init__(self, target: Path, suffix: str) -> None:
        self._target = target
        self._suffix = suffix
        self._taken: dict[Path, Path] = {}

    def path(self, item: Input) -> Path:
        """The output of `item`; UsageError when another input of this run has the same one."""
        single = self._target.suffix in SINGLE_FILE_SUFFIXES and not self._target.is_dir()
        output = self._target if single else self._target / _with_suffix(item.name, self._suffix)
        first = self._taken.setdefault(output, item.path)
        if first != item.path:
            hint = "-o must name a folder when there are several inputs." if single else "Extract them one by one."
            raise UsageError(f"{item.path} and {first} would both be written to {output}.", hint)
        return output


def refuse_another(output: Path, stored: str | None, weights: str) -> None:
    """Raise UsageError when `output` is there and of a checkpoint with other weights than `weights`."""
    if stored is not None and stored != weights:
        raise UsageError(
            f"{output} is of another checkpoint (weights {stored[:12]}, not {weights[:12]}), and is kept.",
            "Name another folder or file with -o; --force replaces it.",
        )


def _with_suffix(name: Path, suffix: str) -> Path:
    """`name` with its suffix replaced, dots elsewhere in the name kept."""
    return name.parent / (name.name.removesuffix(name.suffix) + suffix)
