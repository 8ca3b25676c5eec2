"""How every command runs: errors to sentences and exit codes, inputs one after another, signals."""

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import typer

from icc_cli.cli._report import Reporter
from icc_cli.errors import IccError, OutputError, UsageError

CHECKPOINT_SUFFIXES = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar", ".safetensors")
CACHE_SUFFIXES = (".h5",)
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


def expand(arguments: Iterable[str], suffixes: tuple[str, ...]) -> Iterator[Input]:
    """The files that `arguments` name: files, folders (searched for `suffixes`, sorted), or `-` (paths on stdin).

    Standard input is read as it comes, so that a pipeline's commands overlap. Hidden files, ours while they
    are being written, are passed over. UsageError for a folder that holds nothing of the kind.
    """
    for argument in arguments:
        if argument == "-":
            for line in sys.stdin:
                if line.strip():
                    yield from _expand_path(Path(line.strip()), suffixes)
        else:
            yield from _expand_path(Path(argument), suffixes)


def _expand_path(path: Path, suffixes: tuple[str, ...]) -> Iterator[Input]:
    if not path.is_dir():
        yield Input(path, Path(path.name))
        return
    names: list[tuple[str, ...]] = []
    for folder, inner, files in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".")]
        kept = [name for name in files if name.endswith(suffixes) and not name.startswith(".")]
        parts = Path(folder).relative_to(path).parts
        names += [(*parts, name) for name in kept]
    if not names:
        raise UsageError(f"the folder {path} holds no {' or '.join(suffixes)} file.")
    for parts in sorted(names):
        yield Input(path.joinpath(*parts), Path(*parts))


def each(inputs: Iterable[Input], work: Callable[[Input], None], report: Reporter, debug: bool = False) -> None:
    """Run `work` on every input; report one that fails and go on.

    Raises typer.Exit with the error's own code when there was one input, with 1 when there were more.
    An output that cannot be written stops at once, since the next one could not be either.
    """
    total, failures = 0, []
    for item in inputs:
        total += 1
        try:
            if not item.path.exists():
                raise UsageError(f"there is no file {item.path}.")
            work(item)
        except OutputError:
            raise
        except IccError as error:
            if debug:
                traceback.print_exc()
            report.error(error)
            failures.append(error)
    if total == 0:
        raise UsageError("there is no input.", "Name files or folders, or pipe paths into `-`.")
    if total > 1 and failures:
        _last_word(f"{len(failures)} of {total} inputs failed; the others are done.")
    if failures:
        raise typer.Exit(failures[0].exit_code if total == 1 else EXIT_SOME_FAILED)


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


def _with_suffix(name: Path, suffix: str) -> Path:
    """`name` with its suffix replaced, dots elsewhere in the name kept."""
    return name.parent / (name.name.removesuffix(name.suffix) + suffix)
