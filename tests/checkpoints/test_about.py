"""Metrics, epochs and hyperparameters of foreign checkpoints, where people put them, as what they are."""

import argparse

import pytest
import torch

from icc_cli.checkpoints import about

WEIGHTS = {"conv.weight": torch.ones(2, 2), "acc": torch.ones(2)}


@pytest.mark.parametrize(
    ("content", "metrics"),
    [
        ({"acc": 95.0, "epoch": 193}, {"accuracy": 0.95}),
        ({"acc": 0.95}, {"accuracy": 0.95}),
        ({"acc": 1.0}, {"accuracy": 1.0}),
        ({"accuracy": 130.0, "loss": 130.0}, {"loss": 130.0}),
        ({"best_acc": 93.1}, {"best_accuracy": 0.931}),
        ({"best_prec1": torch.tensor(75.5)}, {"best_accuracy": 0.755}),
        ({"best_acc1": torch.tensor([75.5])}, {"best_accuracy": 0.755}),
        ({"train_acc": 0.99, "test_acc": 0.91}, {"train_accuracy": 0.99, "test_accuracy": 0.91}),
        ({"valAcc": 0.9, "Acc@1": 91.0, "acc5": 99.0, "top5": 99.0}, {"val_accuracy": 0.9, "accuracy": 0.91}),
        ({"acc_top1": 90.0, "training_loss": 0.1}, {"accuracy": 0.9, "train_loss": 0.1}),
        ({"valid/loss": 0.2}, {"val_loss": 0.2}),
        ({"metrics": {"test_accuracy": 0.8}}, {"test_accuracy": 0.8}),
        ({"a": {"b": {"acc": 0.7}}, "acc": 0.8}, {"accuracy": 0.8}),
        ({"results": {"val": {"acc": 88.0}, "train": {"acc": 99.0}}}, {"val_accuracy": 0.88, "train_accuracy": 0.99}),
        ({"best": {"epoch": 12, "val_acc": 0.9}}, {"best_val_accuracy": 0.9}),
        ({"best_epoch": 12, "best_acc_epoch": 12, "balanced_accuracy": 0.5, "precision": 0.5, "f1": 0.4}, {}),
        ({"val_acc_epoch": 0.9, "step": 500, "train_val_acc": 0.3}, {"val_accuracy": 0.9, "step": 500}),
        ({"global_step": 500}, {"step": 500}),
        ({"optimizer": {"step": 7, "acc": 0.1}, "teacher": {"acc": 0.99}, "callbacks": {"best_acc": 0.5}}, {}),
        ({"state_dict": WEIGHTS, "weights_of_mine": WEIGHTS, "args": {"acc": 0.3}, "acc": True}, {}),
        ([1, 2], {}),
    ],
)  # fmt: skip
def test_metrics_are_what_they_are(content, metrics):
    assert about.metrics(content) == pytest.approx(metrics)


@pytest.mark.parametrize(
    ("content", "epoch"),
    [
        ({"epoch": 3}, 3),
        ({"epoch": torch.tensor(3)}, 3),
        ({"epoch": 3.0}, 3),
        ({"epoch": 2.5}, None),
        ({"epoch": True}, None),
        ({"trainer": {"state": {"epoch": 4}}}, 4),
        ({"best": {"epoch": 4}, "best_epoch": 4, "epochs": 100}, None),
        ({"best": {"epoch": 4}, "progress": {"current_epoch": 9}}, 9),
        ({"scheduler": {"last_epoch": 9, "epoch": 9}}, None),
    ],
)
def test_the_epoch_is_this_files(content, epoch):
    assert about.epoch(content) == epoch


def test_hyperparameters_of_namespaces():
    content = {"args": argparse.Namespace(lr=0.1, out=object(), name="x"), "config": {"lr": 0.2, "depth": 3}}
    assert about.hparams(content) == {"lr": 0.1, "name": "x", "depth": 3}
