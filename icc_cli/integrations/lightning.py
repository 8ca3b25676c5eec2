"""A Monitor as a Lightning callback. Needs the extra `lightning`."""

from typing import Any

from lightning.pytorch import Callback as _Callback
from lightning.pytorch import LightningModule, Trainer

from icc_cli.monitor import Monitor

PREFIX = "icc/"


class Callback(_Callback):  # type: ignore[misc]
    """Calls `monitor` after every training epoch, and logs what it saw, as `icc/c1`, ..., to the trainer's loggers.

    Epochs are counted from 1, so that `every=5` looks after the fifth. `network` names the attribute of the
    LightningModule that holds the network, dots separating levels; by default the module itself is called. In a
    distributed training the first process looks, and the others wait for it. The history goes into the trainer's
    checkpoints, and comes back from them.

        Trainer(callbacks=[Callback(Monitor(loader, measures=("c1", "c3")), network="model")])
    """

    def __init__(self, monitor: Monitor, network: str = "") -> None:
        self.monitor = monitor
        self._network = network

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if not self.monitor.due(epoch):
            return
        if trainer.is_global_zero:
            seen = self.monitor(pl_module.get_submodule(self._network), epoch)
            assert seen is not None
            values = {PREFIX + name: value for name, value in seen.measures.items() if value is not None}
            self.log_dict(values, rank_zero_only=True)
        trainer.strategy.barrier("icc")

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.monitor.rows()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.monitor.restore(state_dict["rows"])
