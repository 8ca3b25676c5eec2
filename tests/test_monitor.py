"""A monitor sees what measuring by hand would, and the training goes on as it would have without."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import icc_cli as icc


def network():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)
    )


def samples(count=90):
    generator = torch.Generator().manual_seed(1)
    fine = torch.arange(count) % 9
    x = torch.randn(count, 6, generator=generator) + fine[:, None] * torch.linspace(-1, 1, 6)
    return TensorDataset(x, fine // 3, fine)


def train(watch=None, epochs=4):
    """A plain loop with shuffling, dropout and batch norm; the trained weights."""
    model = network()
    loader = DataLoader(samples(), batch_size=20, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    for epoch in range(1, epochs + 1):
        for x, y, _ in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        if watch:
            watch(model, epoch)
    return model


def test_training_ends_with_the_same_weights_bit_for_bit():
    plain = train()
    monitor = icc.Monitor(DataLoader(samples(), batch_size=16, shuffle=True), every=1, measures=("c1", "c3"), k=3)
    watched = train(monitor)
    assert [seen.epoch for seen in monitor.history] == [1, 2, 3, 4]
    assert watched.training
    for (name, one), other in zip(plain.state_dict().items(), watched.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_it_sees_what_measuring_by_hand_gives():
    data = samples()
    monitor = icc.Monitor(DataLoader(data, batch_size=7, shuffle=True), every=2, measures="paper", k=4, layer_k=2)
    model = train(monitor)
    by_hand = icc.measure(icc.activations(model, DataLoader(data, batch_size=90)), k=4, layer_k=2)
    last = monitor.history[-1]
    assert last.epoch == 4 and len(monitor.history) == 2
    assert last.measures == pytest.approx(dict(by_hand), rel=1e-6)
    with torch.no_grad():
        accuracy = (model.eval()(data.tensors[0]).argmax(1) == data.tensors[1]).float().mean()
    assert last.train_accuracy == pytest.approx(float(accuracy))


def test_at_most_so_many_samples_the_same_every_time():
    data = samples()
    model = train()
    sublabels = data.tensors[2]
    loader = DataLoader(TensorDataset(*data.tensors[:2]), batch_size=20, shuffle=True)
    monitor = icc.Monitor(loader, sublabels=sublabels, every=1, max_samples=30, k=3)
    first, second = monitor(model, 1), monitor(model, 2)
    assert first.measures == second.measures
    rows = np.linspace(0, 89, 30).round().astype(int)
    chosen = tuple(tensor[rows] for tensor in data.tensors)
    assert first.measures == pytest.approx(
        dict(icc.measure(icc.activations(model, chosen), measures=("c1", "c3"), k=3))
    )


def test_only_every_so_many_epochs():
    monitor = icc.Monitor((*samples().tensors,), every=3)
    train(monitor, epochs=7)
    assert [row["epoch"] for row in monitor.rows()] == [3, 6]
    again = icc.Monitor((*samples().tensors,), every=3)
    again.restore(monitor.rows())
    assert again.history == monitor.history


def test_mistakes_are_told_at_once():
    with pytest.raises(icc.IccError, match="every must be at least 1"):
        icc.Monitor([], every=0)
    with pytest.raises(icc.IccError, match="'c9'"):
        icc.Monitor([], measures="c9")
    with pytest.raises(icc.IccError, match="5 sublabels and 90 samples"):
        icc.Monitor(DataLoader(samples()), sublabels=np.zeros(5))
