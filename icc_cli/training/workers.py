"""Several networks at once: one process each, fed from a list, which end when the one that started them does."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from icc_cli.cluster.pool import end_with_parent
from icc_cli.data import Dataset
from icc_cli.errors import IccError
from icc_cli.resources import cpus, keep_freed_memory
from icc_cli.training.loop import DeviceData, Trainer
from icc_cli.training.task import Result, Task, run, set_threads


@dataclass(frozen=True)
class Outcome:
    """The end of one task: its result, or the error that stopped it."""

    task: Task
    result: Result | None
    error: IccError | None = None


OnEpoch = Callable[[Task, int, float], None]
"""Called with the task, the epochs done and the epoch's training loss."""


def run_all(
    work: Sequence[Task], dataset: Dataset, device: torch.device, jobs: int, on_epoch: OnEpoch
) -> Iterator[Outcome]:
    """Train every task, `jobs` at a time, yielding outcomes as they come. One job trains in this process."""
    if jobs == 1 or len(work) == 1:
        data = _on_device(work[0], dataset, device)
        for task in work:
            yield _attempt(task, data, lambda trainer, task=task: on_epoch(task, *_told(trainer)))  # type: ignore[misc]
        return
    context = multiprocessing.get_context("spawn")
    threads = max(1, cpus() // jobs)
    waiting = list(reversed(work))
    running: dict[Connection, tuple[Any, Task]] = {}
    everyone: list[Any] = []

    def start() -> None:
        mine, theirs = context.Pipe()
        process = context.Process(target=_worker, args=(theirs, dataset, str(device), threads), daemon=True)
        process.start()
        theirs.close()
        everyone.append(process)
        give(mine, process)

    def give(pipe: Connection, process: Any) -> None:
        if waiting:
            task = waiting.pop()
            running[pipe] = (process, task)
            pipe.send(task)
        else:
            pipe.close()

    try:
        for _ in range(min(jobs, len(work))):
            start()
        while running:
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                process, task = running[ready]
                try:
                    kind, content = ready.recv()
                except (EOFError, OSError):
                    del running[ready]
                    process.join(5)
                    reason = f"its process ended with code {process.exitcode}"
                    yield Outcome(task, None, IccError(f"{task.name} was not trained: {reason}.", "Lower --jobs."))
                    if waiting:
                        start()
                    continue
                if kind == "epoch":
                    on_epoch(task, *content)
                else:
                    del running[ready]
                    give(ready, process)
                    yield Outcome(task, content if kind == "done" else None, content if kind == "failed" else None)
    finally:
        for process in everyone:
            process.kill()


def _worker(pipe: Connection, dataset: Dataset, device: str, threads: int) -> None:
    """Train what comes through `pipe` until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    set_threads(threads)
    data: DeviceData | None = None
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        data = data or _on_device(task, dataset, torch.device(device))
        outcome = _attempt(task, data, lambda trainer: pipe.send(("epoch", _told(trainer))))
        pipe.send(("done", outcome.result) if outcome.error is None else ("failed", outcome.error))


def _attempt(task: Task, data: DeviceData, on_epoch: Callable[[Trainer], None]) -> Outcome:
    keep_freed_memory()
    try:
        return Outcome(task, run(task, data, on_epoch))
    except IccError as error:
        return Outcome(task, None, IccError(f"{task.name}: {error}"))
    except torch.OutOfMemoryError:
        return Outcome(task, None, IccError(f"{task.name} does not fit the device's memory.", "Lower --jobs."))


def _on_device(task: Task, dataset: Dataset, device: torch.device) -> DeviceData:
    return DeviceData.of(dataset, tuple(task.data["mean"]), tuple(task.data["std"]), device)


def _told(trainer: Trainer) -> tuple[int, float]:
    return trainer.progress.epoch, trainer.progress.train_loss
