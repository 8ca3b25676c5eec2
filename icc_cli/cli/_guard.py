"""What surrounds every command: errors, signals and closed pipes become sentences and exit codes."""

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import typer

from icc_cli.cli._report import Reporter
from icc_cli.cli._streams import ReaderGone
from icc_cli.errors import IccError, UsageError
from icc_cli.signals import Terminated

EXIT_SOME_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143
WITH_NETWORKS = ("torch", "torchvision", "safetensors")
"""What an environment that was made by `make lite` lacks."""


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that what it raises becomes a sentence on stderr and the spec's exit code.

    A `debug` argument of the command, when true, prints the traceback as well.
    """

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with sentences(kwargs.get("debug", False)), _without_torch():
            command(*args, **kwargs)

    return run


@contextlib.contextmanager
def sentences(debug: bool = False) -> Iterator[None]:
    """Turn what the block raises into a sentence on stderr and a typer.Exit with the spec's exit code."""
    try:
        yield
        sys.stdout.flush()
    except (IccError, OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        told = error if isinstance(error, IccError) else _of_the_system(error)
        Reporter().error(told)
        code = told.exit_code
    except ReaderGone:
        code = EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        last_word("interrupted; finished files are kept, and the same command goes on from them.")
        code = EXIT_INTERRUPTED
    except Terminated:
        last_word("terminated; finished files are kept, and the same command goes on from them.")
        code = EXIT_TERMINATED
    else:
        return
    raise typer.Exit(code) from None


def _of_the_system(error: OSError | MemoryError) -> IccError:
    """What is said of a failure of the system that nobody below has foreseen."""
    if isinstance(error, MemoryError):
        return IccError("memory has run out.", "Finished files are kept.")
    where = f"{error.filename}: " if error.filename else ""
    return IccError(f"{where}{error.strerror or error}.", "Finished files are kept.")


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """UsageError where torch is not installed, which only the commands that run networks need."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in WITH_NETWORKS:
            raise
        raise UsageError(
            f"this command needs {error.name}, which is not installed.",
            "Without it there are measure, rank, plot and report; `pip install icc-cli` installs all.",
        ) from error


def last_word(text: str) -> None:
    """A line on stderr, after which nothing comes."""
    print(f"icc: {text}", file=sys.stderr)
