"""Captures against an independent extraction: torch.fx, which runs the traced graph node by node."""

import operator

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from icc_cli.errors import CheckpointError
from icc_cli.extraction import Capture, Sites
from icc_cli.extraction.functions import NAMES

SITES = {"resnet18": 17, "vgg11_bn": 10, "densenet121": 121, "googlenet": 57}
RELUS = {F.relu, torch.relu, torch.relu_}


class ReluInputs(fx.Interpreter):
    """Runs a traced network and keeps the pooled input of every ReLU node."""

    def __init__(self, model):
        super().__init__(fx.symbolic_trace(model))
        self.inputs = []

    def run_node(self, node):
        is_module = node.op == "call_module" and isinstance(self.submodules[node.target], nn.ReLU)
        is_function = node.op == "call_function" and node.target in RELUS
        is_method = node.op == "call_method" and node.target in ("relu", "relu_")
        if is_module or is_function or is_method:
            value = self.env[node.args[0]].clone()
            self.inputs.append(value.flatten(2).max(dim=2).values if value.dim() == 4 else value)
        return super().run_node(node)


def randomised(model):
    """A model in inference mode with batch-norm statistics that are no identity."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.num_features, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(module.num_features, generator=generator) + 0.5)
    return model.eval()


@pytest.mark.parametrize("name", SITES)
def test_captures_equal_fx_bit_for_bit(name):
    import torchvision.models

    torch.manual_seed(0)
    arguments = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    model = randomised(getattr(torchvision.models, name)(weights=None, num_classes=10, **arguments))
    images = torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        interpreter = ReluInputs(model)
        expected_output = interpreter.run(images.clone())
        capture = Capture(model)
        with capture:
            output = model(images.clone())
    sites, values = capture.take()
    assert len(sites) == SITES[name] == len(interpreter.inputs)
    assert len({site.name for site in sites}) == len(sites)
    assert torch.equal(output, expected_output)
    for site, value, expected in zip(sites, values, interpreter.inputs, strict=True):
        assert value.shape == (3, site.neurons)
        assert torch.equal(value, expected), site.name


class OtherSpellings(nn.Module):
    """ReLU by other names, and calls of the same functions that are none."""

    def forward(self, x):
        values = [
            x.clamp(min=0), x.clamp(0), torch.clamp(x, min=0.0), x.clamp_min(0), torch.clamp_min(x, 0), x.clip(min=0),
            F.threshold(x, 0, 0), nn.Threshold(0.0, 0.0)(x), x.clone().clamp_(min=0), x.clone().clamp_min_(0.0),
        ]  # fmt: skip
        no_relu = [x.clamp(min=0.1), x.clamp(max=0), x.clamp(-1, 1), x.clamp(min=x), F.threshold(x, 0.1, 0)]
        assert len(no_relu) == 5
        return torch.stack(values)


def test_clamps_and_thresholds_at_zero_are_relus():
    model = OtherSpellings()
    capture = Capture(model)
    x = torch.randn(5, 4)
    with capture:
        values = model(x)
    sites, captured = capture.take()
    assert [site.name for site in sites] == ["relu", *(f"relu#{i}" for i in range(1, 10))]
    assert all(torch.equal(value, x) for value in captured)
    assert all(torch.equal(value, x.relu()) for value in values)


MODULES = {
    "relu6": (nn.ReLU6, nn.ReLU6(inplace=True), nn.Hardtanh(0, 6)), "leaky_relu": (nn.LeakyReLU,), "elu": (nn.ELU,),
    "prelu": (nn.PReLU,), "rrelu": (nn.RReLU,), "selu": (nn.SELU,), "celu": (nn.CELU,), "gelu": (nn.GELU,),
    "silu": (nn.SiLU, nn.SiLU(inplace=True)), "mish": (nn.Mish,), "hardswish": (nn.Hardswish,),
    "hardsigmoid": (nn.Hardsigmoid,), "softplus": (nn.Softplus,), "sigmoid": (nn.Sigmoid,), "tanh": (nn.Tanh,),
    "hardtanh": (nn.Hardtanh,), "relu": (nn.ReLU,),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_is_a_site_when_its_name_is_asked_for(name):
    torch.manual_seed(0)
    for kind in MODULES[name]:
        model = nn.Sequential(nn.Linear(3, 4), kind() if isinstance(kind, type) else kind).eval()
        x = torch.randn(6, 3)
        for wanted, count in (((name,), 1), (tuple(n for n in NAMES if n != name), 0), (NAMES, 1)):
            capture = Capture(model, Sites(wanted))
            with torch.inference_mode(), capture:
                model(x)
            sites, values = capture.take()
            assert len(sites) == count
            assert capture.seen == {name: 1}
            if count:
                assert sites[0].name == "1"
                torch.testing.assert_close(values[0], model[0](x), rtol=0, atol=0)


def test_globs_choose_sites_and_keep_their_names():
    model = Spellings().eval()
    x = torch.randn(2, 4)

    def names(**globs):
        capture = Capture(model, Sites(**globs))
        with torch.inference_mode(), capture:
            model(x)
        return [site.name for site in capture.take()[0]]

    assert names(include=("act*", "block.*")) == ["act", "act#1", "block.1"]
    assert names(exclude=("relu*",)) == ["act", "act#1", "inplace", "block.1"]
    assert names(include=("relu*",), exclude=("relu", "relu#[1-3]")) == ["relu#4", "relu#5"]


def test_a_neuron_of_a_transformer_is_a_unit_pooled_over_tokens():
    torch.manual_seed(0)
    tokens = nn.Sequential(nn.Linear(3, 5), nn.GELU())
    capture = Capture(tokens, Sites(("gelu",)))
    for shape in ((4, 7, 3), (4, 2, 6, 3)):
        x = torch.randn(*shape)
        with torch.inference_mode(), capture:
            tokens(x)
        (site,), (value,) = capture.take()
        assert (site.kind, site.neurons) == ("tokens", 5)
        assert site.map_size == x[0].numel() // 3
        torch.testing.assert_close(value, tokens[0](x).flatten(1, -2).max(1).values, rtol=0, atol=0)


def test_a_map_that_no_linear_layer_made_has_its_channels_first():
    capture = Capture(nn.Sequential(nn.Linear(6, 6), nn.Identity(), nn.BatchNorm2d(3), nn.ReLU()).eval())
    x = torch.randn(2, 3, 5, 6)
    with torch.inference_mode(), capture:
        nn.Sequential(nn.Linear(6, 6), nn.BatchNorm2d(3).eval(), nn.ReLU())(x)
    (site,), (value,) = capture.take()
    assert (site.kind, value.shape) == ("map", (2, 3))


class Spellings(nn.Module):
    """Every spelling of ReLU, shared modules, and a ReLU that destroys its input."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.inplace = nn.ReLU(inplace=True)
        self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))

    def forward(self, x):
        a = self.linear(x)
        b = self.act(a) + a
        c = self.act(b)
        d = self.inplace(c - 1)
        e = F.relu(d - 0.1) - 0.2
        f = F.relu(e.clone(), inplace=True)
        g = torch.relu(f - 0.05)
        h = (g - 0.01).relu()
        i = torch.relu_(h - 0.02)
        j = (i - 0.03).relu_()
        return self.block(j)


def test_every_spelling_is_a_site_with_a_stable_name():
    torch.manual_seed(0)
    model = Spellings().eval()
    capture = Capture(model)
    x = torch.randn(8, 4)
    with torch.inference_mode(), capture:
        model(x)
    sites, values = capture.take()
    assert [site.name for site in sites] == [
        "act", "act#1", "inplace", "relu", "relu#1", "relu#2", "relu#3", "relu#4", "relu#5", "block.1",
    ]  # fmt: skip
    a = model.linear(x)
    torch.testing.assert_close(values[0], a, rtol=0, atol=0)
    torch.testing.assert_close(values[1], a.clamp(min=0) + a, rtol=0, atol=0)
    assert all((value < 0).any() for value in values), "values are taken before the ReLU, in place or not"
    with torch.inference_mode(), capture:
        model(x)
    assert [site.name for site in capture.take()[0]] == [site.name for site in sites]


class Routed(nn.Module):
    """Calls a function itself, and in one child or another, by what it is given."""

    def __init__(self):
        super().__init__()
        self.low, self.high = Calls(), Calls()

    def forward(self, x):
        return F.relu(self.high(x) if x.mean() > 0 else self.low(x)) if x.mean() < 9 else self.high(x)


class Calls(nn.Module):
    def forward(self, x):
        return F.relu(x - 1)


def test_a_pass_that_is_known_gives_the_same_sites():
    model = Routed()
    x = torch.randn(3, 4) - 1
    for wanted in (Sites(), Sites(exclude=("low*",)), Sites(include=("low*",))):
        with Capture(model, wanted) as first:
            model(x)
        with Capture(model, wanted, first.known) as again:
            model(x)
        assert first.take()[0] == again.take()[0]
        assert all(map(torch.equal, first.take()[1], again.take()[1]))


def test_a_call_in_a_module_that_made_none_is_not_taken_for_another():
    model = Routed()
    x = torch.rand(3, 4)
    with Capture(model) as first:
        model(x - 2)
    assert [site.name for site in first.take()[0]] == ["low.relu", "relu"]
    with pytest.raises(CheckpointError, match="differently"), Capture(model, Sites(), first.known):
        model(x + 2)
    with Capture(model, Sites(), first.known) as again:
        model(x + 20)
    assert [site.name for site in again.take()[0]] == ["relu"]  # one too few, which `Taking` refuses


def test_no_hook_stays_on_the_model_even_after_an_error():
    model = Spellings().eval()
    with pytest.raises(RuntimeError), torch.inference_mode(), Capture(model):
        model(torch.randn(2, 5))
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())


def test_an_unknown_shape_is_named():
    model = nn.Sequential(nn.Flatten(0), nn.ReLU())
    with pytest.raises(CheckpointError, match="site 1 has a pre-activation of shape"), Capture(model):
        model(torch.randn(2, 4))


def test_arithmetic_outside_relu_is_no_site():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    capture = Capture(model)
    with capture:
        operator.add(model(torch.randn(2, 3)), 1)
    assert capture.take() == ([], [])
