"""The head, the logits and the controls that an extraction takes beside the sites."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from icc_cli.cache import open_cache
from icc_cli.extraction import activations
from icc_cli.extraction.controls import controls
from icc_cli.measuring import measure


class Small(nn.Module):
    """A convolution with batch norm, and a linear head whose output `after` may change."""

    def __init__(self, after=lambda logits: logits, bias=True):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 4, bias=bias)
        self.after = after

    def forward(self, x):
        return self.after(self.fc(F.relu(self.norm(self.conv(x))).amax(dim=(2, 3))))


def small(**kwargs):
    torch.manual_seed(0)
    model = Small(**kwargs).eval()
    model.norm.running_mean.uniform_(-0.5, 0.5)
    model.norm.running_var.uniform_(0.5, 2)
    nn.init.uniform_(model.norm.weight, 0.5, 2)
    nn.init.uniform_(model.norm.bias, -1, 1)
    return model


SAMPLES = (torch.randn(30, 1, 6, 6, generator=torch.Generator().manual_seed(1)), torch.arange(30) % 4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shuffled", [False, True])
def test_head_and_logits_are_those_of_the_rows(tmp_path, bias, shuffled):
    model = small(bias=bias)
    loader = [tuple(part[start : start + 7] for part in SAMPLES) for start in range(0, 30, 7)] if shuffled else SAMPLES
    held = activations(model, loader)
    with torch.no_grad():
        expected = model(SAMPLES[0]).numpy()[held.sample_id]
    with open_cache(activations(model, loader, path=tmp_path / "a.h5")) as cache:
        for found in (held, cache):
            logits, inputs = found.logits.rows(0, 30), found.head.inputs.rows(0, 30)
            assert np.allclose(logits, expected, atol=1e-5)
            assert np.allclose(inputs @ found.head.weight.T + found.head.bias, logits, atol=1e-5)
            assert [site.name for site in found.sites] == ["relu"]
        assert cache.version == 2
    assert dict(measure(tmp_path / "a.h5", measures="all")) == dict(measure(held, measures="all"))


def test_logits_that_are_not_a_linear_layers_have_no_head():
    held = activations(small(after=lambda logits: logits / 2), SAMPLES)
    assert held.head is None and held.logits.shape == (30, 4)
    found = measure(held, measures=["nc1", "nc3", "margin"])
    assert found["nc1"] is None and found["nc3"] is None and found["margin"] is not None
    assert any(note.startswith("nc1, nc3: the network's logits are not") for note in found.notes)


def test_what_is_counted():
    model = small()
    held = activations(model, SAMPLES)
    metrics = held.metadata["metrics"]
    assert metrics["parameters"] == 3 * 9 + 3 + 6 + 12 + 4
    assert (metrics["sites"], metrics["neurons"]) == (1, 3)
    norm = math.sqrt(sum(float((p.detach() ** 2).sum()) for p in model.parameters()))
    assert metrics["weight_norm"] == pytest.approx(norm, rel=1e-6)
    with torch.no_grad():
        loss = F.cross_entropy(model(SAMPLES[0]), SAMPLES[1]).item()
    assert measure(held, measures="train_loss")["train_loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("affine", [True, False])
def test_path_norm_folds_batch_norm(affine):
    """By hand: the folded convolution and the head, weights and biases squared, at an input of ones."""
    model = small()
    model.norm.eps = 0.25
    if not affine:
        model.norm.weight = model.norm.bias = None
    with torch.no_grad():
        scale = (model.norm.weight if affine else 1) / torch.sqrt(model.norm.running_var + model.norm.eps)
        weight = (model.conv.weight * scale[:, None, None, None]) ** 2
        bias = ((model.norm.bias if affine else 0) + (model.conv.bias - model.norm.running_mean) * scale) ** 2
        hidden = F.relu(F.conv2d(torch.ones(1, 1, 6, 6), weight, bias)).amax(dim=(2, 3))
        expected = math.sqrt(F.linear(hidden, model.fc.weight**2, model.fc.bias**2).sum())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert controls(model, SAMPLES[:1], ["relu", "relu6"]).values["path_norm"] == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("model", "sample", "functions", "reason"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), torch.ones(2, 3), ["relu"], "LayerNorm"),
        (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), torch.ones(2, 3), ["relu"], "BatchNorm1d"),
        (nn.Linear(3, 3), torch.ones(2, 3), ["relu", "gelu"], "calls gelu"),
        (nn.Embedding(5, 3), torch.ones(2, 3, dtype=torch.int64), ["relu"], "real numbers"),
    ],
)
def test_path_norm_is_not_defined_for_every_network(model, sample, functions, reason):
    found = controls(model, (sample,), functions)
    assert found.values["path_norm"] is None and reason in found.reasons["path_norm"]
    assert found.values["parameters"] > 0


def test_a_path_norm_that_is_too_large():
    model = nn.Linear(3, 3, dtype=torch.float64)
    nn.init.constant_(model.weight, 1e200)
    found = controls(model, (torch.ones(2, 3, dtype=torch.float64),), ["relu"])
    assert found.values["path_norm"] is None and "larger than a number" in found.reasons["path_norm"]


def test_complex_weights_count_by_their_length():
    model = nn.Linear(1, 1, bias=False, dtype=torch.complex64)
    nn.init.constant_(model.weight, 3 + 4j)
    assert controls(model, (torch.ones(2, 1),), ["relu"]).values["weight_norm"] == pytest.approx(5)
