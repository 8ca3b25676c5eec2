"""The Lightning callback in real trainings: what it logs, and that it changes nothing."""

import csv
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import icc_cli as icc
from tests.test_monitor import network, samples

pytest.importorskip("lightning", reason="the extra `lightning` is not installed")


@pytest.fixture
def trained(tmp_path):
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import CSVLogger

    from icc_cli.integrations.lightning import Callback

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = network()

        def training_step(self, batch, _):
            return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.05)

    def fit(monitor=None, epochs=4, checkpoint=None):
        pl.seed_everything(0, verbose=False)
        logger = CSVLogger(tmp_path, name="logs")
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=logger,
            callbacks=[Callback(monitor, network="model")] if monitor else [],
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
            default_root_dir=tmp_path,
        )
        module = Module()
        trainer.fit(module, DataLoader(samples(), batch_size=30, shuffle=True), ckpt_path=checkpoint)
        return trainer, module, logger

    return fit


def test_it_logs_and_changes_nothing(trained):
    _, plain, _ = trained()
    monitor = icc.Monitor(DataLoader(samples(), batch_size=45), every=2, k=3)
    trainer, watched, logger = trained(monitor)
    for one, other in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert [seen.epoch for seen in monitor.history] == [2, 4]
    with Path(logger.log_dir, "metrics.csv").open(newline="") as file:
        logged = [float(row["icc/c3"]) for row in csv.DictReader(file) if row["icc/c3"]]
    assert logged == pytest.approx([seen.measures["c3"] for seen in monitor.history], rel=1e-6)
    assert float(trainer.callback_metrics["icc/c1"]) == pytest.approx(monitor.history[-1].measures["c1"], rel=1e-6)


def test_the_history_comes_back_from_a_checkpoint(trained, tmp_path):
    monitor = icc.Monitor(DataLoader(samples(), batch_size=45), every=1, k=3)
    trainer, _, _ = trained(monitor, epochs=2)
    trainer.save_checkpoint(tmp_path / "two.ckpt")
    again = icc.Monitor(DataLoader(samples(), batch_size=45), every=1, k=3)
    trained(again, epochs=3, checkpoint=tmp_path / "two.ckpt")
    assert again.history[:2] == monitor.history and [seen.epoch for seen in again.history] == [1, 2, 3]
