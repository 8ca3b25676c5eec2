"""Several networks, one after another or a process for each."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch

from icc_cli.data import Dataset
from icc_cli.errors import IccError, OutputError
from icc_cli.pool import ProcessEnded, Tell, in_processes
from icc_cli.resources import keep_freed_memory
from icc_cli.training.loop import DeviceData, Trainer
from icc_cli.training.run import run
from icc_cli.training.task import Result, Task

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
