"""Networks in many styles: what icc finds is what a plain PyTorch loop finds, and the neurons are the layers' own."""

import copy

import numpy as np
import pytest
import torch

from icc_cli.data import DataSource, load
from icc_cli.extraction import Extraction, Sites, activations
from tests.extraction.styles import STYLES, inputs, randomised

COUNT = 45
BATCH = 11
"""45 samples in batches of 11 leave one for the last."""


@pytest.fixture(scope="module")
def digits():
    split = load(DataSource("digits")).train
    images = torch.from_numpy(split.images[:COUNT]).permute(0, 3, 1, 2).float() / 128 - 1
    return images.contiguous().reshape(-1).view(COUNT, 1, 8, 8), torch.from_numpy(split.sublabels[:COUNT])


def rows_of(given, rows):
    if isinstance(given, dict):
        return {name: value[rows] for name, value in given.items()}
    return tuple(value[rows] for value in given) if isinstance(given, tuple) else given[rows]


def called(net, given):
    if isinstance(given, dict):
        return net(**given)
    return net(*given) if isinstance(given, tuple) else net(given)


def logits(outputs, columns):
    """What a person would take."""
    if isinstance(outputs, dict):
        return outputs["logits"]
    if isinstance(outputs, tuple | list):
        return next(item for item in outputs if item is not None and item.shape[1] == columns)
    return outputs


def centre(net, given):
    """Take the mean off the logits, so that an untrained network does not find one class everywhere."""
    if hasattr(net, "fc"):
        net.eval()
        with torch.random.fork_rng():
            mean = logits(called(net, given), 10).detach().mean(0)
        net.fc.bias.data -= mean


def plain_loop(net, given, binary):
    """The classes that the network finds, by a loop without the package, two samples at least in a batch."""
    net = copy.deepcopy(net) if not any(isinstance(m, torch.jit.ScriptModule) for m in net.modules()) else net
    net.eval()
    net.train = lambda mode=True: net  # dropout off, whatever the forward pass says
    found = []
    for start in range(0, COUNT, 15):
        with torch.random.fork_rng():
            outputs = logits(called(net, rows_of(given, slice(start, start + 15))), 10)
        if binary:
            edge = 0.5 if (outputs >= 0).all() else 0.0
            found.append((outputs.reshape(-1) > edge).long())
        else:
            found.append(outputs.argmax(1))
    del net.train
    return torch.cat(found).numpy()


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("name", STYLES)
def test_predictions_and_neurons(name, digits):
    images, labels = digits
    _, given, sites = STYLES[name]
    net, x = randomised(name), inputs(given, images)
    labels = labels % 2 if given == "binary" else labels
    with torch.set_grad_enabled(name == "gradients within"):
        centre(net, x)
        expected = plain_loop(net, x, given == "binary")
    wanted = Extraction(batch_size=BATCH, sites=Sites(("gelu",) if name == "state space" else ("relu",)))
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda text, *_, **__: said.append(str(text)))
        found = activations(net, (x, labels), how=wanted)
    assert [(site.kind, site.shape[1]) for site in found.sites] == sites
    assert np.array_equal(found.predictions, expected[found.sample_id])
    accuracy = np.mean(expected == labels.numpy())
    assert found.metadata["measured"]["train_accuracy"] == accuracy
    assert len(set(expected)) > 1, "the network tells samples apart"
    said = [text for text in said if "torch.jit" not in text]
    if name == "training mode within":
        assert ["inference mode" in text for text in said] == [True]
    elif name == "(features, logits)":
        assert ["the logits are 1" in text for text in said] == [True]
    else:
        assert said == []


def test_there_are_forty():
    assert len(STYLES) >= 40
