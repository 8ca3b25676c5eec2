"""Work on several items at once, in processes of this machine that end when the one that started them does."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Generic, TypeVar

from icc_cli import files, hdf5, resources
from icc_cli.errors import IccError
from icc_cli.forks import ended

Item = TypeVar("Item")
Result = TypeVar("Result")
Tell = Callable[[Any], None]
"""Hands a picklable message of the work under way to the process that asked for it."""

HINT = "If memory ran out, lower --jobs; the same command goes on from the finished files."
SECONDS_TO_UNWIND = 10.0
"""For a process that is abandoned to remove its temporary file."""
HELLO, READY, TOLD, WRITES, DONE = "hello", "ready", "told", "writes", "done"
_DECIDED_BY_THE_PARENT = (signal.SIGINT, signal.SIGTERM)
"""What is sent to the whole group (by Slurm, by Ctrl-C) must not cut the file in hand."""


class ProcessEnded(IccError):
    """The process that worked on an item was killed, or failed in a way that it did not foresee."""


class _Abandoned(BaseException):
    """The parent gives the work up: unwind, so that the temporary file is removed."""


@dataclass
class _Worker(Generic[Item]):
    """One process, the number and value of the item it has in hand, and its place among the GPUs."""

    process: SpawnProcess
    number: int
    item: Item
    place: int
    ready: bool = False
    temporary: Path | None = None
    """The temporary file that it writes, which is removed after it if it is killed."""


def in_processes(
    items: Iterable[Item],
    work: Callable[[Item, Tell], Result],
    jobs: int,
    *,
    ordered: bool = True,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[Item, Any], None] = lambda item, message: None,
) -> Iterator[tuple[Item, Result | IccError]]:
    """Yield each item with what `work` returned, or the IccError it raised: in the order of `items`, or as they come.

    `work` must be picklable; each process unpickles it once, so that what it keeps (a loaded data set) stays. What it
    tells is given to `told` in this process. With several GPUs each process sees one. When `stopping()` turns true
    nothing more is begun, and what is in hand is finished. A process that ends under its work fails that item, by a
    ProcessEnded, and another takes its place. IccError when a process ends before it has begun.
    """
    with contextlib.closing(_as_they_come(items, work, jobs, stopping, told)) as outcomes:
        if not ordered:
            yield from (outcome for _, outcome in outcomes)
            return
        early: dict[int, tuple[Item, Result | IccError]] = {}
        following = 0
        for number, outcome in outcomes:
            early[number] = outcome
            while following in early:
                yield early.pop(following)
                following += 1


def _as_they_come(
    items: Iterable[Item],
    work: Callable[[Item, Tell], Result],
    jobs: int,
    stopping: Callable[[], bool],
    told: Callable[[Item, Any], None],
) -> Generator[tuple[int, tuple[Item, Result | IccError]], None, None]:
    """Each item's number, and the item with its outcome."""
    resources.share_threads(jobs)
    gpus = resources.gpus()
    pickled = pickle.dumps(work)
    source = enumerate(items)
    places = list(range(jobs))
    workers: dict[Connection, _Worker[Item]] = {}
    try:
        while True:
            while places and not stopping() and (entry := next(source, None)) is not None:
                place = places.pop(0)
                pipe, process = _start(gpus[place % len(gpus)] if len(gpus) > 1 else None)
                workers[pipe] = _Worker(process, *entry, place)
            if not workers:
                return
            for pipe in _with_news(workers):
                worker = workers[pipe]
                try:
                    kind, content = pipe.recv()
                    if kind == HELLO:
                        pipe.send_bytes(pickled)
                    elif kind == WRITES:
                        worker.temporary = content
                    elif kind == READY:
                        worker.ready = True
                        pipe.send((worker.item,))
                except (EOFError, OSError):
                    kind, content = DONE, _ended(worker)
                    del workers[pipe]
                    pipe.close()
                    places.append(worker.place)
                if kind == TOLD:
                    told(worker.item, content)
                elif kind == DONE:
                    yield worker.number, (worker.item, content)
                    if pipe in workers and not stopping() and (entry := next(source, None)) is not None:
                        worker.number, worker.item = entry
                        with contextlib.suppress(OSError):  # it has ended: its pipe says so next
                            pipe.send((worker.item,))
                    elif pipe in workers:
                        del workers[pipe]
                        pipe.close()
                        worker.process.join()
    finally:
        _abandon(workers)


def _with_news(workers: dict[Connection, _Worker[Any]]) -> list[Connection]:
    return [pipe for pipe in wait(list(workers)) if isinstance(pipe, Connection)]


def _start(gpu: str | None) -> tuple[Connection, SpawnProcess]:
    """A new process and the pipe to it.

    Nothing large goes with its start: a process that dies before it reads that would leave this one waiting for ever.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, gpu), daemon=True)
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _DECIDED_BY_THE_PARENT)
    arguments, sys.argv = sys.argv, sys.argv[:1]  # they go along, and may be thousands of files
    try:
        process.start()
    except OSError as error:
        raise IccError(f"a worker process cannot be started: {error.strerror or error}.", HINT) from error
    finally:
        sys.argv = arguments
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()
    return ours, process


def _ended(worker: _Worker[Any]) -> ProcessEnded:
    """What is said of a process that is gone; raises IccError when it had not begun."""
    worker.process.join(SECONDS_TO_UNWIND)
    code = worker.process.exitcode
    how = "does not end" if code is None else ended(code)
    _remove_temporary(worker)
    if not worker.ready:
        raise IccError(f"a worker process {how} at its start.", HINT)
    return ProcessEnded(f"the process that worked on it {how}.", HINT)


def _remove_temporary(worker: _Worker[Any]) -> None:
    if worker.temporary is not None:
        with contextlib.suppress(OSError):
            worker.temporary.unlink(missing_ok=True)


def _abandon(workers: dict[Connection, _Worker[Any]]) -> None:
    """End them, with time to unwind; this process must not end first, for then they end at once."""
    processes = [worker.process for worker in workers.values()]
    for process in processes:
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, signal.SIGUSR1)
    deadline = time.monotonic() + SECONDS_TO_UNWIND
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
    for pipe, worker in workers.items():
        with contextlib.suppress(EOFError, OSError):
            while pipe.poll():
                kind, content = pipe.recv()
                worker.temporary = content if kind == WRITES else worker.temporary
        _remove_temporary(worker)


def _serve(pipe: Connection, gpu: str | None) -> None:
    """The life of a worker process: the work, once, then items until the pipe is closed."""
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    for number in _DECIDED_BY_THE_PARENT:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _DECIDED_BY_THE_PARENT)
    with contextlib.suppress(_Abandoned), hdf5.one_fork():
        signal.signal(signal.SIGUSR1, _raise_abandoned)
        _end_with_parent()
        pipe.send((HELLO, None))
        work: Callable[[Any, Tell], Any] = pickle.loads(pipe.recv_bytes())
        pipe.send((READY, None))
        files.watch_temporaries(lambda path: pipe.send((WRITES, path)))
        for item in _received(pipe):
            try:
                outcome = work(item, lambda message: pipe.send((TOLD, message)))
            except IccError as error:
                outcome = error
            pipe.send((DONE, outcome))


def _received(pipe: Connection) -> Iterator[Any]:
    while True:
        try:
            (item,) = pipe.recv()
        except EOFError:
            return
        yield item


def _raise_abandoned(signum: int, frame: object) -> None:
    raise _Abandoned


def _end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however that was."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
