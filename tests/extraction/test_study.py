"""What has to be said of a network is said; what it needs is found on a few samples."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from icc_cli.errors import CheckpointError
from icc_cli.extraction import Extraction, Sites, activations
from icc_cli.extraction.arguments import contiguous
from icc_cli.extraction.outputs import find
from tests.extraction.styles import CLASSES, CNN, Net, cnn, encoder, head, last_of, rows, trunk

COUNT = 20


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(COUNT, 1, 8, 8, generator=generator), torch.arange(COUNT) % CLASSES


def taken(net, samples, **how):
    """(activations, what was said) of a network."""
    said = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icc_cli.extraction.loader.warnings.warn", said.append)
        found = activations(net, samples, how=Extraction(**how))
    return found, said


def mixing(net, x):
    h = trunk(net, x).flatten(1)
    return head(net, h - h.mean(0))


def noisy(net, x):
    return head(net, trunk(net, x + torch.randn_like(x)).flatten(1))


def noisy_numpy(net, x):
    return head(net, trunk(net, x + float(np.random.rand())).flatten(1))


def wrong_way_round(net, x):
    """Tokens first for an encoder that takes the samples first: the samples attend to each other."""
    return net.fc(net.encoder(rows(x).transpose(0, 1)).mean(0))


SAID = {
    "random": (lambda: cnn(noisy), "is random"),
    "random by numpy": (lambda: cnn(noisy_numpy), "is random"),
    "dropout always": (lambda: cnn(lambda n, x: head(n, F.dropout(trunk(n, x).flatten(1), 0.5))), "is random"),
    "the batch's mean": (lambda: cnn(mixing), "depends on the others in its batch"),
    "attention over the batch": (
        lambda: Net(wrong_way_round, encoder=encoder(True), fc=nn.Linear(8, CLASSES)), "depends on the others"),
    "no running statistics": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), nn.Flatten(),
                              nn.Linear(144, CLASSES)), r"batch norm without running statistics \(1\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_what_is_no_function_of_the_sample_is_said(name, samples):
    make, words = SAID[name]
    torch.manual_seed(0)
    net = make()
    found, said = taken(net, samples)
    assert len(said) == 1 and re.search(words, said[0]), said
    assert found.metadata["warnings"] == tuple(said) or list(found.metadata["warnings"]) == said
    again, _ = taken(net, samples)
    assert (
        all(np.array_equal(a.values, b.values) for a, b in zip(found.sites, again.sites, strict=True))
        or "numpy" in name
    )


def test_a_plain_network_is_said_nothing_of(samples):
    torch.manual_seed(0)
    found, said = taken(cnn(lambda n, x: head(n, trunk(n, x).flatten(1))), samples)
    assert said == [] and [(site.kind, site.shape[1]) for site in found.sites] == CNN


def test_training_mode_within_is_held_off(samples):
    def forward(train):
        def run(net, x):
            if train:
                net.train()
            return head(net, F.dropout(trunk(net, x).flatten(1), 0.5, net.training))

        torch.manual_seed(0)
        return cnn(run)

    plain, said = taken(forward(False), samples)
    assert said == []
    net = forward(True)
    held, said = taken(net, samples)
    assert len(said) == 1 and "held in inference mode" in said[0]
    assert all(np.array_equal(a.values, b.values) for a, b in zip(plain.sites, held.sites, strict=True))
    assert net.norm.num_batches_tracked == 0 and "train" not in vars(net)


def test_statistics_that_diverged_are_named(samples):
    net = cnn(lambda n, x: head(n, trunk(n, x).flatten(1)))
    net.norm.running_var[1] = float("inf")
    with pytest.raises(CheckpointError, match="running statistics of norm hold NaN or infinity"):
        taken(net, samples)


@pytest.mark.parametrize(("kind", "inner"), [(nn.RNN, "relu"), (nn.LSTM, "tanh"), (nn.GRU, "sigmoid")])
def test_what_a_recurrent_layer_calls_inside_is_refused(kind, inner, samples):
    options = {"nonlinearity": "relu"} if kind is nn.RNN else {}
    net = Net(
        lambda n, x: n.fc(torch.tanh(F.relu(n.a(last_of(n.layer(rows(x))).sigmoid())))),
        layer=kind(8, 6, batch_first=True, **options), a=nn.Linear(6, 5), fc=nn.Linear(5, CLASSES),
    )  # fmt: skip
    with pytest.raises(CheckpointError, match=rf"layer\.{inner} is called inside the recurrent layer"):
        taken(net, samples, sites=Sites((inner,)))
    outside, _ = taken(net, samples, sites=Sites((inner,), exclude=(f"layer.{inner}",)))
    assert [site.name for site in outside.sites] == [inner]


def test_layouts_that_a_network_does_not_take_are_not_given(samples):
    """The fast layout is used where it changes nothing, and the plain one where it would."""
    seen = []

    def run(by_view):
        def forward(net, x):
            h = trunk(net, x)
            seen.append(h.is_contiguous(memory_format=torch.channels_last) and not h.is_contiguous())
            return head(net, h.view(-1, 96) if by_view else h.flatten(1))

        torch.manual_seed(0)
        return cnn(forward)

    fast, _ = taken(run(False), samples)
    assert seen[-1]
    plain, _ = taken(run(True), samples)
    assert not seen[-1]
    for one, other in zip(fast.sites, plain.sites, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-4, atol=1e-5)


def test_a_grey_image_is_laid_out_plainly():
    """PyTorch takes (B, H, W, 1) turned round for both layouts at once."""
    grey = torch.rand(2, 8, 8, 1).permute(0, 3, 1, 2)
    assert grey.is_contiguous() and contiguous(grey).stride() == (64, 64, 8, 1)
    assert torch.equal(contiguous(grey), grey)


@pytest.mark.parametrize("batch", [1, 3, 19, 20])
def test_a_last_batch_of_one_is_like_any_other(batch, samples):
    torch.manual_seed(0)
    net = cnn(lambda n, x: head(n, trunk(n, x).squeeze().flatten(1)).squeeze())
    whole, said = taken(net, samples, batch_size=20)
    parts, _ = taken(net, samples, batch_size=batch)
    assert said == []
    assert np.array_equal(whole.predictions, parts.predictions)
    for one, other in zip(whole.sites, parts.sites, strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-4, atol=1e-5)


def test_one_sample_alone(samples):
    net = cnn(lambda n, x: head(n, trunk(n, x).flatten(1)).squeeze())
    found, _ = taken(net, (samples[0][:1], samples[1][:1]))
    assert found.sites[0].shape == (1, 4)


def test_calls_that_change_from_batch_to_batch_are_refused(samples):
    net = cnn(lambda n, x: head(n, trunk(n, x).flatten(1).relu() if len(x) > 10 else trunk(n, x).flatten(1)))
    with pytest.raises(CheckpointError, match="differently from batch to batch"):
        taken(net, samples, batch_size=15)


def tables(**items):
    return {name: torch.zeros(4, columns) if columns else torch.zeros(4) for name, columns in items.items()}


@pytest.mark.parametrize(
    ("outputs", "classes", "key"),
    [
        (torch.zeros(4, 10), 10, None),
        ((torch.zeros(4, 10), torch.zeros(4, 32)), 10, 0),
        ((torch.zeros(4, 32), torch.zeros(4, 10)), 10, 1),
        ([torch.zeros(4, 5, 8), torch.zeros(4, 10)], 10, 1),
        ((torch.zeros(()), torch.zeros(4, 10)), 10, 1),
        (tables(features=32, logits=10), 10, "logits"),
        (tables(hidden=32, head=10), 10, "head"),
        (tables(aux=1000, out=1000), 10, "out"),
        ((torch.zeros(4), torch.zeros(4, 32, 3)), 2, 0),
    ],
)
def test_logits_are_found(outputs, classes, key):
    found = find(outputs, 4, classes)
    assert found.key == key and found.of(outputs, 4).shape[0] == 4


@pytest.mark.parametrize("outputs", [None, (), torch.zeros(4, 10, 2), (torch.zeros(4, 3),), {"a": torch.zeros(3, 10)}])
def test_what_is_no_logits_is_said(outputs):
    with pytest.raises(CheckpointError, match="logits"):
        find(outputs, 4, 10).of(outputs, 4)


def test_one_number_for_two_classes():
    z = torch.tensor([[-1.0], [0.2], [0.7]])
    assert find(z, 3, 2).of(z, 3).argmax(1).tolist() == [0, 1, 1]
    assert find(z[:, 0], 3, 2).of(z[:, 0], 3).argmax(1).tolist() == [0, 1, 1]
    p = torch.tensor([[0.1], [0.2], [0.7]])
    assert find(p, 3, 2, squashed=p).of(p, 3).argmax(1).tolist() == [0, 0, 1]


def test_colour_images_are_laid_out_as_the_network_takes_them(samples):
    x = torch.randn(COUNT, 2, 8, 8)
    layers = {"c": nn.Conv2d(2, 4, 3), "fc": nn.Linear(144, CLASSES)}
    found, said = taken(Net(lambda n, x: n.fc(F.relu(n.c(x)).view(len(x), -1)), **layers), (x, samples[1]))
    assert said == []
    with torch.no_grad():
        expected = layers["c"](x).amax((2, 3)).numpy()[found.sample_id]
    np.testing.assert_allclose(found["relu"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
def test_a_network_of_another_precision_is_given_that(precision):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)).to(precision).eval()
    x, labels = torch.randn(30, 12), torch.arange(30) % 3
    found = activations(net, (x, labels))
    with torch.no_grad():
        expected = net[:2](x.to(precision)).float().numpy()[found.sample_id]
        classes = net(x.to(precision)).argmax(1).numpy()[found.sample_id]
    assert np.array_equal(found.sites[0].values, expected) and np.array_equal(found.predictions, classes)


def test_activation_functions_inside_vmap_are_said():
    class Vmapped(nn.Linear):
        def forward(self, x):
            return torch.vmap(lambda sample: super(Vmapped, self).forward(sample).relu())(x)

    with pytest.raises(CheckpointError, match=r"site relu is called inside torch.vmap.* --exclude-sites 'relu'"):
        activations(Vmapped(4, 3), (torch.randn(6, 4), torch.arange(6) % 3))
