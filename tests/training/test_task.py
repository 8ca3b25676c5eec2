"""Training one network: determinism, resumption, stopping, divergence, and what its file holds."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from icc_cli.data import Dataset, Split
from icc_cli.errors import UsageError
from icc_cli.training.grid import parse
from icc_cli.training.loop import DeviceData
from icc_cli.training.run import finished, run
from icc_cli.training.task import tasks

GRID = """
[model]
spec = "wrn"
base_width = 2
[training]
epochs = 4
drops = [2]
shift = 1
stop_loss = 0.0
[grid]
augmentation = [true]
batch_size = [7]
dropout = [0.3]
"""
MEAN, STD = (0.4,), (0.3,)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 255, (36, 8, 8, 1), np.uint8), np.arange(36) % 3, np.arange(36) % 6)
    return Dataset("random", split, split, described={"spec": "random"})


@pytest.fixture
def make(dataset, tmp_path):
    def task(text=GRID, folder="a", **changes):
        (found,) = tasks(parse(text, "test"), dataset, MEAN, STD, tmp_path / folder)
        return replace(found, seconds_between_saves=0.0, **changes)

    return task


@pytest.fixture(scope="module")
def data(dataset):
    return DeviceData.of(dataset, MEAN, STD, torch.device("cpu"))


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_interrupted_training_ends_with_the_same_weights(make, data, optimizer):
    text = GRID + f'optimizer = ["{optimizer}"]\n'
    whole, broken = make(text), make(text, "b")
    run(whole, data)

    class Killed(BaseException):
        pass

    def kill(trainer):
        if trainer.progress.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        run(broken, data, kill)
    assert not broken.path.exists() and broken.unfinished.exists()
    epochs = []
    run(broken, data, lambda trainer: epochs.append(trainer.progress.epoch))
    assert epochs == [4]
    assert same(weights(whole.path), weights(broken.path))
    assert not broken.unfinished.exists()
    broken.unfinished.write_bytes(b"killed before it removed this")
    assert finished(broken) is not None and not broken.unfinished.exists()


def test_each_network_is_trained_by_its_own_schedule(make, data):
    schedule = "[[schedule]]\nwhen = {dropout = 0.3}\nepochs = 2\n[[schedule]]\nwhen = {batch_size = 7}\nepochs = 3\n"
    task = make(GRID + schedule)
    assert run(task, data).epoch == 2
    assert torch.load(task.path, weights_only=True)["training"]["epochs"] == 2
    with pytest.raises(UsageError, match="other data or settings"):
        finished(make())


def test_the_seed_decides(make, data):
    found = [make(), make(folder="b"), make("seeds = [1]\n" + GRID, "c")]
    for task in found:
        run(task, data)
    a, b, c = (weights(task.path) for task in found)
    assert same(a, b) and not same(a, c)


def test_the_checkpoint_says_all_there_is_to_know(make, data, dataset):
    task = make()
    result = run(task, data)
    content = torch.load(task.path, weights_only=True)
    assert (content["format"], content["version"], content["epoch"]) == ("icc-checkpoint", 1, 4)
    assert content["data"] == {"spec": "random", "digest": dataset.digest, "mean": [0.4], "std": [0.3]}
    assert content["hparams"] | {"dropout": 0.3, "width": 1.0, "depth": 1.0, "seed": 0} == content["hparams"]
    assert {"train_accuracy", "test_accuracy", "train_loss", "test_loss", "seconds"} == set(content["metrics"])
    assert all(isinstance(value, float) for value in content["metrics"].values())
    assert content["model"]["args"]["num_classes"] == 3
    assert finished(task) == result
    with pytest.raises(UsageError, match="other data or settings"):
        finished(replace(task, recipe=task.recipe.scaled(8)))


def test_it_stops_when_the_loss_is_small(make, data):
    result = run(make(GRID.replace("stop_loss = 0.0", "stop_loss = 100.0")), data)
    assert (result.end, result.epoch) == ("stopped", 1)


def test_divergence_is_recorded_without_a_checkpoint(make, data):
    task = make(GRID + "lr = [1e30]\n")
    result = run(task, data)
    assert result.path is None and result.end == "diverged" and not task.path.exists()
    assert json.loads(task.divergence.read_text())["hparams"]["lr"] == 1e30
    assert finished(task) == result


def test_epochs_are_saved_beside_the_set_and_change_nothing(make, data):
    plain, task = make(), make(folder="b", save_epochs=(1, 3))
    run(plain, data)
    run(task, data)
    saved = [torch.load(task.epoch_path(epoch), weights_only=True) for epoch in (1, 3)]
    assert [content["epoch"] for content in saved] == [1, 3]
    assert list(task.folder.glob("*.pt")) == [task.path]
    assert same(weights(plain.path), weights(task.path))


def test_shifts_that_do_not_fit_and_small_heads_are_refused(make, data):
    with pytest.raises(UsageError, match="shifts"):
        run(make(GRID.replace("shift = 1", "shift = 8")), data)
    with pytest.raises(UsageError, match="num_classes"):
        run(make(GRID.replace("base_width = 2", "base_width = 2\nnum_classes = 2")), data)
