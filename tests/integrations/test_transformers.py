"""The callback of Hugging Face's Trainer in a real training: what it logs, and that it changes nothing."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import icc_cli as icc
from tests.test_monitor import network, samples

pytest.importorskip("transformers", reason="the extra `transformers` is not installed")


class Dictionaries(Dataset):
    def __init__(self):
        self.x, self.y, _ = samples().tensors

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return {"x": self.x[i], "labels": self.y[i]}


class Classifier(nn.Module):
    """Gives (loss, logits) when it has labels, and logits when it has none."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x, labels=None):
        logits = self.net(x)
        return logits if labels is None else {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def train(folder, monitor=None):
    from transformers import Trainer, TrainingArguments

    from icc_cli.integrations.transformers import Callback

    arguments = TrainingArguments(
        str(folder), num_train_epochs=4, per_device_train_batch_size=30, use_cpu=True, report_to=[], disable_tqdm=True,
        save_strategy="no", logging_strategy="no", seed=1,
    )  # fmt: skip
    torch.manual_seed(0)
    trainer = Trainer(Classifier(), arguments, train_dataset=Dictionaries())
    if monitor:
        trainer.add_callback(Callback(monitor, trainer))
    trainer.train()
    return trainer


def test_it_logs_and_changes_nothing(tmp_path):
    plain = train(tmp_path / "plain")
    monitor = icc.Monitor(DataLoader(samples(), batch_size=45), every=2, k=3)
    watched = train(tmp_path / "watched", monitor)
    for one, other in zip(plain.model.state_dict().values(), watched.model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert [seen.epoch for seen in monitor.history] == [2, 4]
    logged = [row["icc/c3"] for row in watched.state.log_history if "icc/c3" in row]
    assert logged == [seen.measures["c3"] for seen in monitor.history]
