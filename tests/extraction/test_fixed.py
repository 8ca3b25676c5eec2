"""Networks that take batches of one size alone: their numbers are those of whole batches, the last filled up."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from icc_cli import activations, sharpness
from icc_cli.errors import CheckpointError
from icc_cli.extraction import Extraction
from icc_cli.extraction.fixed import sizes
from icc_cli.extraction.how import Sites

COUNT = 45


class Net(nn.Module):
    def __init__(self, run, **layers):
        super().__init__()
        self.fc1, self.fc, self.run = nn.Linear(64, 8), nn.Linear(8, 3), run
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.register_buffer("start", torch.randn(20, 8))
        self.register_buffer("lone", torch.randn(1, 8))

    def forward(self, x):
        return self.run(self, x)


def recurrent(net, x):
    _, (last, _) = net.lstm(x.view(len(x), 8, 8), (net.start[None], net.start[None]))
    return net.fc(F.relu(last[0]))


def convolved(net, x):
    return net.fc(F.relu(net.fc1(net.conv(x).view(16, 64))))


NETS = {
    "view": (lambda: Net(lambda n, x: n.fc(F.relu(n.fc1(x.view(10, -1))))), 10),
    "view of one": (lambda: Net(lambda n, x: n.fc(F.relu(n.fc1(x.view(1, -1))))), 1),
    "view of three": (lambda: Net(lambda n, x: n.fc(F.relu(n.fc1(x.view(3, 64))))), 3),
    "logits": (lambda: Net(lambda n, x: n.fc(F.relu(n.fc1(x.flatten(1)))).reshape(32, 3)), 32),
    "buffer": (lambda: Net(lambda n, x: n.fc(F.relu(n.fc1(x.flatten(1)) + n.start))), 20),
    "concatenated": (lambda: Net(lambda n, x: n.fc2(F.relu(torch.cat([n.fc1(x.flatten(1)), n.start], 1))),
                                 fc2=nn.Linear(16, 3)), 20),
    "hidden state": (lambda: Net(recurrent, lstm=nn.LSTM(8, 8, batch_first=True)), 20),
    "convolution": (lambda: Net(convolved, conv=nn.Conv2d(1, 1, 3, padding=1)), 16),
}  # fmt: skip
BY_PLACE = ("buffer", "concatenated", "hidden state")
"""What these compute for a sample depends on its place in the batch."""


@pytest.fixture(scope="module")
def digits():
    torch.manual_seed(1)
    return torch.randn(COUNT, 1, 8, 8), torch.arange(COUNT) % 3


def whole_batches(net, x, size):
    """What a plain loop finds: the last batch filled with zeros, and cut."""
    rows = torch.cat([x, torch.zeros(-len(x) % size, *x.shape[1:])])
    with torch.no_grad():
        return torch.cat([net(part) for part in rows.split(size)])[: len(x)]


@pytest.mark.parametrize("asked", [None, 7])
@pytest.mark.parametrize("name", NETS)
def test_numbers_are_those_of_whole_batches(name, asked, digits):
    make, size = NETS[name]
    torch.manual_seed(0)
    net, (x, labels) = make().eval(), digits
    net.fc.bias.data -= whole_batches(net, x, size).mean(0)  # so that it does not find one class everywhere
    sites = Sites(axes=(("relu", 1),)) if size == 1 else Sites()
    with pytest.warns(UserWarning) as said:
        found = activations(net, (x, labels), how=Extraction(batch_size=asked, sites=sites))
    texts = [str(one.message) for one in said]
    assert any(f"takes batches of {size} samples only" in text for text in texts)
    assert any("depends on the others in its batch" in text for text in texts) is (name in BY_PLACE)
    expected = whole_batches(net, x[found.sample_id], size)
    assert np.array_equal(found.predictions, expected.argmax(1).numpy())
    assert len({*found.predictions}) > 1 and [site.shape[0] for site in found.sites] == [COUNT]
    assert np.allclose(found.logits.values, expected.numpy(), atol=1e-5)


def test_which_axis_is_the_samples_cannot_be_told_of_a_batch_of_one(digits):
    with pytest.raises(CheckpointError, match=r"cannot be known. Say which axis .* --neuron-axis"):
        activations(NETS["view of one"][0]().eval(), digits)


@pytest.mark.parametrize("name", ["view", "buffer"])
def test_batches_of_a_loader(name, digits):
    make, size = NETS[name]
    torch.manual_seed(0)
    net, (x, labels) = make().eval(), digits
    for step in (size, 3 * size - 1):
        net.start.fill_(0.5)
        loader = [(x[start : start + step], labels[start : start + step]) for start in range(0, COUNT, step)]
        with pytest.warns(UserWarning, match=f"takes batches of {size} samples only"):
            found = activations(net, loader)
        expected = whole_batches(net, x, size).argmax(1).numpy()
        assert np.array_equal(found.predictions, expected[found.sample_id])


def test_a_size_that_torch_does_not_name_is_taken_from_the_option(digits):
    def picky(net, x):
        if len(x) != 12:
            raise ValueError("no")
        return net.fc(F.relu(net.fc1(x.flatten(1))))

    net = Net(picky).eval()
    with pytest.raises(CheckpointError, match="cannot take images") as refused:
        activations(net, digits)
    assert "--batch-size" in refused.value.hint
    with pytest.warns(UserWarning, match="takes batches of 12 samples only"):
        assert activations(net, digits, how=Extraction(batch_size=12)).sites[0].shape == (COUNT, 8)


@pytest.mark.parametrize(
    ("reason", "asked", "expected"),
    [
        ("shape '[100, -1]' is invalid for input of size 256", None, [100, 1, 256]),
        ("The size of tensor a (4) must match the size of tensor b (32) at non-singleton dimension 0", 7, [7, 32]),
        ("mat1 and mat2 shapes cannot be multiplied (16x50 and 256x32)", None, [16]),
        ("mat1 and mat2 shapes cannot be multiplied (4x50 and 256x32)", None, []),
        ("Expected hidden[0] size (1, 4, 16), got [1, 20, 16]", None, [1, 16, 20]),
        ("no", 4, []),
        ("it wants 5000 or 2.5 samples of conv2d", None, []),
    ],
)
def test_sizes_that_are_tried(reason, asked, expected):
    refused = CheckpointError(f"the model cannot take images of shape (3, 64, 64) (C, H, W): {reason}.")
    found = list(sizes(refused, 4, asked))
    assert sorted(found) == sorted(expected) and (asked in (None, 4) or found[0] == asked)


@pytest.mark.parametrize("name", ["view", "buffer"])
def test_sharpness_says_so(name, digits):
    make, size = NETS[name]
    with pytest.raises(CheckpointError, match=f"takes batches of {size} samples only, and sharpness"):
        sharpness(make().eval(), digits)


def test_what_does_not_fit_in_any_size_is_told_as_it_was(digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(CheckpointError, match="4x64 and 32x8"):
        activations(net, digits, how=Extraction(batch_size=9, sites=Sites()))
