"""A Monitor as a callback of Hugging Face's Trainer. Needs the extra `transformers`."""

from typing import Any

from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from icc_cli.monitor import Monitor

PREFIX = "icc/"


class Callback(TrainerCallback):  # type: ignore[misc]
    """Calls `monitor` after every epoch of training, and gives what it saw to `trainer.log`, as `icc/c1`, ...

    From there it goes to `trainer.state.log_history` and to whatever the trainer reports to. Epochs are counted from 1.
    In a distributed training the first process looks.

        trainer.add_callback(Callback(Monitor(loader, measures=("c1", "c3")), trainer))
    """

    def __init__(self, monitor: Monitor, trainer: Trainer) -> None:
        self.monitor = monitor
        self._trainer = trainer

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: nn.Module, **_: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        seen = self.monitor(model, round(state.epoch or 0))
        if seen is not None:
            self._trainer.log({PREFIX + name: value for name, value in seen.measures.items() if value is not None})
