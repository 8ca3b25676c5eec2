"""ReLUs written as arithmetic are sites; what has their values by chance, or only looks like one, is not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from icc_cli.errors import CheckpointError
from icc_cli.extraction import Capture
from icc_cli.extraction.arguments import Arguments
from icc_cli.extraction.how import Sites
from icc_cli.extraction.study import study


def filled(x):
    x = x.clone()
    x[x < 0] = 0
    return x


def filled_in_place(x):
    x = x.clone()
    return x.masked_fill_(x <= 0, 0.0)


def multiplied_in_place(x):
    x = x.clone()
    x *= x > 0
    return x


RELUS = {
    "clamp": lambda x: x.clamp(min=0),
    "clamp to a tensor": lambda x: x.clamp(torch.zeros(())),
    "clip": lambda x: torch.clip(x, 0),
    "clamp_min": lambda x: x.clamp_min(0.0),
    "clamp_min of a tensor": lambda x: torch.clamp_min(x, torch.tensor(0.0)),
    "maximum": lambda x: torch.maximum(x, torch.zeros(())),
    "maximum of zeros": lambda x: torch.maximum(torch.zeros_like(x), x),
    "maximum method": lambda x: x.maximum(x.new_zeros(x.shape[1:])),
    "max": lambda x: torch.max(x, torch.tensor(0.0)),
    "where": lambda x: torch.where(x > 0, x, 0),
    "where of zeros": lambda x: torch.where(x.ge(0), x, torch.zeros_like(x)),
    "where negative": lambda x: torch.where(x < 0, 0.0, x),
    "where method": lambda x: x.where(x > 0, 0),
    "where not": lambda x: torch.where(~(x <= 0), x, 0),
    "where the other way": lambda x: torch.where(0 < x, x, torch.tensor([0.0])),  # noqa: SIM300
    "product": lambda x: x * (x > 0),
    "product of floats": lambda x: (x > 0).float() * x,
    "product of its type": lambda x: torch.mul(x, torch.gt(x, 0).to(x.dtype)),
    "product in place": multiplied_in_place,
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "masked_fill in place": filled_in_place,
    "item": filled,
}
OTHERS = {
    "leaky": lambda x: torch.where(x > 0, x, 0.1 * x),
    "maxout": lambda x: torch.maximum(x[:, :4], x[:, 4:]),
    "max over an axis": lambda x: torch.max(x, 0).values,
    "max of all": lambda x: x.max(),
    "of another": lambda x: x * (x.roll(1, 0) > 0),
    "at one": lambda x: torch.where(x > 1, x, 0),
    "negative part": lambda x: torch.where(x < 0, x, 0),
    "negative product": lambda x: x * (x < 0),
    "mask": lambda x: torch.where(torch.ones_like(x, dtype=torch.bool), x, 0),
    "mask of its own values": lambda x: torch.where((x - 1 > -1).clone(), x, 0),
    "zeros that are filled": lambda x: torch.maximum(x, torch.zeros_like(x).add_(1)),
    "zeros with an item": lambda x: torch.maximum(x, ones_in(torch.zeros_like(x))),
    "limits": lambda x: x.clamp(-1, 1),
    "numbers": lambda x: torch.maximum(x.long(), torch.zeros((), dtype=torch.long)).float(),
    "filled with one": lambda x: x.masked_fill(x < 0, 1),
    "the sign": lambda x: (x > 0).float() * (x > 0),
}


def ones_in(zeros):
    zeros[:] = 1
    return zeros


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.fc1, self.function = nn.Linear(5, 8), function

    def forward(self, x):
        return self.function(self.fc1(x))


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(6, 5)


@pytest.mark.parametrize("name", RELUS)
def test_relus(name, x):
    net = Net(RELUS[name])
    with torch.inference_mode():
        assert torch.equal(net(x), F.relu(net.fc1(x)))
        capture = Capture(net, beneath=True)
        with capture:
            net(x)
            (site,), (value,) = capture.take()
        assert (site.name, site.neurons, capture.seen) == ("relu", 8, {"relu": 1})
        assert torch.equal(value, net.fc1(x))
        with Capture(net, Sites(), capture.known) as again:
            net(x)
        assert again.take()[0] == [site] and torch.equal(again.take()[1][0], value)


@pytest.mark.parametrize("name", OTHERS)
def test_others(name, x):
    capture = Capture(Net(OTHERS[name]))
    with torch.inference_mode(), capture:
        capture._root(x)
    assert capture.take() == ([], []) and not capture.seen
    with torch.inference_mode(), Capture(capture._root, Sites(), capture.known) as again:
        capture._root(x)
    assert again.take() == ([], []) and not again.seen


def test_what_is_not_seen_is_said(x):
    net = Net(lambda x: (x + x.abs()) / 2).eval()
    with torch.inference_mode(), pytest.raises(CheckpointError, match="does not call relu") as caught:
        study(net, Arguments((x,)), Sites(), 2)
    assert "other arithmetic computes is not seen" in caught.value.hint


def test_no_tensor_is_kept(x):
    net, capture = Net(RELUS["where of zeros"]), None
    capture = Capture(net)
    with torch.inference_mode(), capture:
        net(x)
        capture.begin()
    assert len(capture._arithmetic._signs) == len(capture._arithmetic._zeros) == 0
