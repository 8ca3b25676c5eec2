"""Where the neurons are: followed through any moving of axes, chosen by hand, or refused."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from icc_cli.errors import CheckpointError
from icc_cli.extraction import Capture, Sites
from icc_cli.extraction.axes import Atom, Axes, one, reshaped
from tests.extraction.styles import Net

SAMPLES, MAPS = 3, 4


def moved(draw, x):
    """A random walk of calls that move axes and lose no number."""
    for _ in range(draw(st.integers(0, 6))):
        step = draw(st.sampled_from(("permute", "transpose", "flatten", "split", "unsqueeze", "squeeze", "T", "index")))
        if step == "permute":
            x = x.permute(draw(st.permutations(range(x.dim()))))
        elif step == "transpose":
            x = torch.transpose(x, draw(st.integers(-x.dim(), x.dim() - 1)), 0)
        elif step == "flatten" and x.dim() > 2:
            start = draw(st.integers(0, x.dim() - 2))
            x = x.flatten(start, start + 1)
        elif step == "split":
            place = draw(st.integers(0, x.dim() - 1))
            if x.shape[place] % 2 == 0 and x.dim() < 7:
                x = x.reshape(*x.shape[:place], x.shape[place] // 2, 2, *x.shape[place + 1 :])
        elif step == "unsqueeze" and x.dim() < 7:
            x = x.unsqueeze(draw(st.integers(-x.dim() - 1, x.dim())))
        elif step == "squeeze":
            x = x.squeeze()
        elif step == "T":
            x = x.mT
        elif step == "index" and x.dim() < 7:
            x = x[None, ..., :]
    return x


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_neurons_are_followed_through_any_moving_of_axes(data):
    """Whatever happens to the axes after a convolution, the neurons are its maps, pooled over their positions."""
    torch.manual_seed(0)
    layer = nn.Conv2d(2, MAPS, 3)
    x = torch.randn(SAMPLES, 2, 5, 4)
    net = Net(lambda n, x: F.relu(moved(data.draw, n.layer(x))), layer=layer)
    capture = Capture(net)
    try:
        with torch.no_grad(), capture:
            net(x)
    except CheckpointError:
        return  # maps cut apart with positions between: refused rather than guessed
    (site,), (value,) = capture.take()
    maps = layer(x).detach()
    assert value.shape[0] == SAMPLES
    if site.neurons == MAPS:
        expected, found = maps.amax((2, 3)), value
    else:
        # Flattened with its positions, a map's numbers are units of their own, all of them or, cut again, some.
        expected, found = maps.flatten(1), value
        assert site.neurons > MAPS
        if site.neurons < expected.shape[1]:
            return
    torch.testing.assert_close(found.sort(1).values, expected.sort(1).values, rtol=0, atol=0)


def test_atoms_are_taken_apart_and_put_together():
    axes = Axes((one("samples", 2), one("units", 6), one("positions", 4)))
    merged = reshaped(axes, (2, 24))
    assert merged.axes == (one("samples", 2), (Atom("units", 6), Atom("positions", 4)))
    assert reshaped(merged, (2, 6, 4)).axes == axes.axes
    assert reshaped(axes, (2, 3, 2, 4)).axes[1:3] == (one("units", 3), one("units", 2))
    assert reshaped(axes, (12, 4)).axes[0] == (Atom("samples", 2), Atom("units", 6))
    assert reshaped(axes, (2, 8, 3)).axes[1:] == (one("positions", 8), one("positions", 3)), "not to be told apart"
    assert reshaped(axes, (2, 1, 6, 4)).axes[1] == ()


def pooled(run, x, sites=None, **layers):
    torch.manual_seed(0)
    net = Net(run, **layers).eval()
    capture = Capture(net, sites or Sites())
    with torch.no_grad(), capture:
        net(x)
    (site,), (value,) = capture.take()
    return net, site, value, capture.known.poolings[site.name]


X = torch.randn(3, 5, 6)


def test_the_axis_and_its_reason_are_told():
    _, _, _, pooling = pooled(lambda n, x: F.relu(n.c(x)), X, c=nn.Conv1d(5, 4, 3))
    assert (pooling.axis, pooling.because) == ("1 of (samples, 4, 4)", "conv1d in c")
    _, _, _, pooling = pooled(lambda n, x: F.relu(n.a(x).transpose(0, 1)), X, a=nn.Linear(6, 4))
    assert (pooling.axis, pooling.because) == ("2 of (5, samples, 4)", "linear in a")


def test_an_axis_chosen_by_hand_overrules():
    chosen = Sites(axes=(("re*", 2), ("*", 1)))
    net, site, value, pooling = pooled(lambda n, x: F.relu(n.c(x)), X, chosen, c=nn.Conv1d(5, 4, 3))
    torch.testing.assert_close(value, net.c(X).amax(1), rtol=0, atol=0)
    assert (site.kind, site.neurons, pooling.because) == ("tokens", 4, "--neuron-axis")
    net, site, value, _ = pooled(
        lambda n, x: F.relu(n.a(x).transpose(0, 1)), X, Sites(axes=(("*", 0),)), a=nn.Linear(6, 4)
    )
    torch.testing.assert_close(value, net.a(X).amax(2), rtol=0, atol=0)
    assert site.neurons == 5
    for axis in (0, 3, -4):
        with pytest.raises(CheckpointError, match="cannot hold its neurons"):
            pooled(lambda n, x: F.relu(n.c(x)), X, Sites(axes=(("*", axis),)), c=nn.Conv1d(5, 4, 3))


@pytest.mark.parametrize(
    "run",
    [
        lambda n, x: F.relu(x * 2),
        lambda n, x: F.relu(torch.from_numpy(n.a(x).numpy().copy())),
        lambda n, x: F.relu(torch.cdist(n.a(x), n.a(x))),
    ],
)
def test_what_cannot_be_known_is_refused_and_can_be_said(run):
    with pytest.raises(CheckpointError, match="--neuron-axis") as caught:
        pooled(run, X, a=nn.Linear(6, 4))
    assert "site relu has a pre-activation of shape" in str(caught.value)
    _, site, _, _ = pooled(run, X, Sites(axes=(("relu", -1),)), a=nn.Linear(6, 4))
    assert site.neurons in (4, 5, 6)


def test_a_module_that_only_passes_on_is_seen_through():
    class Opaque(nn.Module):
        def forward(self, x):
            return torch.from_numpy(x.numpy().copy())

    _, site, _, _ = pooled(lambda n, x: F.relu(n.o(n.c(x))), X, c=nn.Conv1d(5, 4, 3), o=Opaque())
    assert (site.kind, site.neurons) == ("map", 4)
