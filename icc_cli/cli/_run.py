"""How a command goes through its inputs: a shard of them, one after another or several at once."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from pathlib import Path
from typing import TypeVar

import typer

from icc_cli import hdf5
from icc_cli.cli._guard import EXIT_SOME_FAILED, last_word
from icc_cli.cli._inputs import Input, is_cache, with_suffixes
from icc_cli.cli._outputs import Outputs
from icc_cli.cli._report import Reporter
from icc_cli.cluster import shards
from icc_cli.errors import CheckpointError, FormatError, IccError, OutputError, UsageError
from icc_cli.files import check_there, check_told, input_errors
from icc_cli.signals import Terminated, finish, stopping

INPUT_LIST_VARIABLE = "ICC_INPUT_LIST"
"""Names a file that fixes the list of inputs for every task of a job array, and for tasks that are run again."""


def sharded(inputs: Iterable[Input], shard: str | None, outputs: Outputs | None = None) -> Iterable[Input]:
    """The inputs of `shard` ("3/8"); all of them, as they come, when it is None.

    The split needs the whole list, so that standard input is read to its end. Two inputs with the same output
    may fall in different shards, so they are refused here. A shard stops between inputs when SIGTERM arrives.
    """
    if shard is None:
        return inputs
    part = shards.parse(shard)
    finish(lambda: last_word("terminated: finishing the file in hand ..."))
    listed = [shards.Listed(str(item.path), str(item.name), _bytes(item.path)) for item in inputs]
    if os.environ.get(INPUT_LIST_VARIABLE):
        listed = shards.fixed(Path(os.environ[INPUT_LIST_VARIABLE]), listed)
    items = with_suffixes([Input(Path(item.path), Path(item.name)) for item in listed])
    if not items:
        raise _no_input()
    if outputs is not None:
        for item in items:
            outputs.path(item)
    mine = shards.split([(item.path, item.size) for item in listed], part.count)[part.index - 1]
    if not mine:
        last_word(f"shard {shard} of {len(items)} inputs is empty.")
        raise typer.Exit(0)
    return [items[index] for index in mine]


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        check_told(error)
        return 0  # said when its turn comes


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
    report.begin(len(inputs) if isinstance(inputs, Sized) else None)
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
        report.step()
    if stopping():
        raise Terminated
    if total == 0:
        raise _no_input()
    if total > 1 and failures:
        last_word(f"{len(failures)} of {total} inputs failed; the others are done.")
    if failures:
        raise typer.Exit(failures[0].exit_code if total == 1 else EXIT_SOME_FAILED)


def _one_by_one(
    inputs: Iterable[Input], work: Callable[[Input], Result], debug: bool
) -> Iterator[tuple[Input, Result | IccError]]:
    with hdf5.one_fork():
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
    check_there(item.path)
    kind = FormatError if is_cache(item.path) else CheckpointError
    # stdout carries data only, whatever a network prints
    with input_errors(item.path, kind), contextlib.redirect_stdout(sys.stderr):
        return work(item)
