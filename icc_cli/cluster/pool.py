"""Work on several inputs at once, in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from icc_cli import resources
from icc_cli.errors import IccError

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: Callable[[Any], Any]


class _Abandoned(BaseException):
    """The parent gives the work up: unwind, so that the temporary file is removed."""


def in_processes(
    items: Iterable[Item], work: Callable[[Item], Result], jobs: int, stopping: Callable[[], bool]
) -> Iterator[tuple[Item, Result | IccError]]:
    """Yield each item with what `work` returned, or the IccError it raised, in the order of `items`.

    `work` must be picklable; each process unpickles it once, so that what it keeps (a loaded data set) stays.
    With several GPUs each process sees one. When `stopping()` turns true nothing more is begun, and what is
    in hand is finished. IccError when a process was killed.
    """
    context = multiprocessing.get_context("spawn")
    resources.share_threads(jobs)
    slots = context.Value("i", 0)
    executor = ProcessPoolExecutor(jobs, context, _start, (work, slots, resources.gpus()))
    waiting: deque[tuple[Item, Future[Any]]] = deque()
    source = iter(items)
    try:
        while True:
            # One more than there are processes, so that none is idle while an outcome is handled.
            while len(waiting) <= jobs and not stopping() and (item := next(source, None)) is not None:
                waiting.append((item, executor.submit(_attempt, item)))
            if stopping():
                waiting = deque((item, future) for item, future in waiting if not future.cancel())
            if not waiting:
                break
            item, future = waiting.popleft()
            yield item, future.result()
        executor.shutdown()
    except BrokenProcessPool as error:
        raise IccError(
            "a worker process was killed; finished files are kept.",
            "If memory ran out, lower --jobs; the same command goes on from the finished files.",
        ) from error
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process.pid is not None:
                os.kill(process.pid, signal.SIGUSR1)


def _start(work: Callable[[Any], Any], slots: Any, gpus: list[str]) -> None:
    """Set up a process: its GPU, its signals, and an end when its parent's comes."""
    global _work
    _work = work
    if len(gpus) > 1:
        with slots.get_lock():
            os.environ["CUDA_VISIBLE_DEVICES"] = gpus[slots.value % len(gpus)]
            slots.value += 1
    # The parent decides: what is sent to the whole group (by Slurm, by Ctrl-C) must not cut the file in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, _abandon)
    end_with_parent()


def _abandon(signum: int, frame: object) -> None:
    raise _Abandoned


def _attempt(item: Any) -> Any:
    try:
        return _work(item)
    except IccError as error:
        return error


def end_with_parent() -> None:
    """End this worker process as soon as the process that started it has ended, however that was."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
