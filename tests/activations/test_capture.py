"""Captures against an independent extraction: torch.fx, which runs the traced graph node by node."""

import operator

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

from icc_cli.activations import Capture
from icc_cli.errors import CheckpointError

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


def test_no_hook_stays_on_the_model_even_after_an_error():
    model = Spellings().eval()
    with pytest.raises(RuntimeError), torch.inference_mode(), Capture(model):
        model(torch.randn(2, 5))
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())


def test_an_unknown_shape_is_named():
    model = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (2, 2, 1, 1, 1)), nn.ReLU())
    with pytest.raises(CheckpointError, match="site 2 has a pre-activation of shape"), Capture(model):
        model(torch.randn(2, 4))


def test_arithmetic_outside_relu_is_no_site():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    capture = Capture(model)
    with capture:
        operator.add(model(torch.randn(2, 3)), 1)
    assert capture.take() == ([], [])
