"""Several networks, one after another or a process for each."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch

from icc_cli.data import Dataset
from icc_cli.errors import IccError, OutputError, UsageError
from icc_cli.models import bytes_of
from icc_cli.pool import ProcessEnded, Tell, in_processes
from icc_cli.resources import check_memory, keep_freed_memory
from icc_cli.training.loop import DeviceData, Trainer
from icc_cli.training.run import run
from icc_cli.training.task import Result, Task

COPIES = {"sgd": 3, "adam": 4}
"""Of the weights: themselves, their gradients, and each optimizer's state."""
OnEpoch = Callable[[Task, int, float], None]
"""Called with the task, the epochs done and the epoch's training loss."""


def run_all(
    work: Sequence[Task], dataset: Dataset, device: torch.device, jobs: int, on_epoch: OnEpoch
) -> Iterator[tuple[Task, Result | IccError]]:
    """Train every task, `jobs` at a time, yielding each with its result, or the error that stopped it, as they come.

    One job trains in this process.
    """
    station = Station(dataset, str(device))
    if jobs == 1 or len(work) == 1:
        for task in work:
            try:
                yield task, station(task, partial(_pass_on, on_epoch, task))
            except IccError as error:
                yield task, error
        return
    told = partial(_pass_on, on_epoch)
    for task, outcome in in_processes(work, station, min(jobs, len(work)), ordered=False, told=told):
        if isinstance(outcome, ProcessEnded):
            outcome = IccError(f"{task.name} was not trained: {outcome.message}", outcome.hint)
        yield task, outcome


def check_room(work: Sequence[Task], dataset: Dataset, device: torch.device, jobs: int) -> None:
    """UsageError when `jobs` processes, each with the data set and a network, take more memory than is free.

    It is what they take at the least: images, weights, gradients and the optimizer's state, of the networks that come
    first, or of the largest.
    """
    processes = min(jobs, len(work))
    splits = [split for split in (dataset.train, dataset.test) if split is not None]
    copies = processes - (processes == 1 and all(isinstance(split.images, np.ndarray) for split in splits))
    needed = copies * sum(math.prod(split.images.shape) for split in splits)
    if device.type == "cpu":
        of_model: dict[str, int] = {}
        sizes = []
        for task in work:
            if (key := repr(task.model)) not in of_model:
                of_model[key] = bytes_of(task.model)
            sizes.append(of_model[key] * COPIES[task.hparams["optimizer"]])
        needed += max(sum(sizes[:processes]), max(sizes))
    networks = f"training {len(work)} network{'s' * (len(work) > 1)}, {processes} at once,"
    check_memory(needed, networks, UsageError, "Lower --jobs, or train on fewer images with --per-class.")


class Station:
    """Trains one task after another on a device where the data set stays."""

    def __init__(self, dataset: Dataset, device: str) -> None:
        self._dataset = dataset
        self._device = device
        self._data: DeviceData | None = None

    def __call__(self, task: Task, tell: Tell) -> Result:
        """Train `task`; tells the epochs done and the loss of the last. IccError, with the task's name, if it fails."""
        keep_freed_memory()
        if self._data is None:
            mean, std = tuple(task.data["mean"]), tuple(task.data["std"])
            self._data = DeviceData.of(self._dataset, mean, std, torch.device(self._device))
        try:
            return run(task, self._data, lambda trainer: tell(_progress(trainer)))
        except OutputError:
            raise
        except IccError as error:
            raise IccError(f"{task.name}: {error}") from error
        except torch.OutOfMemoryError as error:
            raise IccError(f"{task.name} does not fit the device's memory.", "Lower --jobs.") from error
        except OSError as error:
            raise IccError(f"{task.name} was not trained: {error.filename or ''} {error.strerror or error}.") from error


def _progress(trainer: Trainer) -> tuple[int, float]:
    return trainer.progress.epoch, trainer.progress.train_loss


def _pass_on(on_epoch: OnEpoch, task: Task, progress: tuple[int, float]) -> None:
    on_epoch(task, *progress)
