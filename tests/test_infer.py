"""Arguments of a network that its weights settle, and those that they do not."""

import pytest
from torch import nn

from icc_cli.errors import UsageError
from icc_cli.models.infer import build_for
from icc_cli.models.spec import ModelSpec, build


def settled(spec, weights_of, **given):
    return build_for(ModelSpec(spec, given), weights_of.state_dict())[0].args


@pytest.mark.parametrize(
    ("spec", "built_with", "found"),
    [
        ("torchvision:resnet18", {"num_classes": 7}, {"num_classes": 7}),
        ("torchvision:resnet18", {}, {}),
        ("torchvision:vgg11", {"num_classes": 5}, {"num_classes": 5}),
        ("torchvision:mobilenet_v3_small", {"num_classes": 100}, {"num_classes": 100}),
        ("timm:resnet18", {"num_classes": 7, "in_chans": 1}, {"num_classes": 7, "in_chans": 1}),
        ("timm:vit_tiny_patch16_224", {"num_classes": 3}, {"num_classes": 3}),
        ("wrn", {"num_classes": 20, "base_width": 8}, {"num_classes": 20}),
        ("wrn", {"num_classes": 20, "in_channels": 1}, {"num_classes": 20, "in_channels": 1}),
        ("vgg", {"num_classes": 10}, {}),
    ],
)
def test_classes_and_channels_are_inferred(spec, built_with, found):
    if spec.startswith("timm"):
        pytest.importorskip("timm")
    given = {key: value for key, value in built_with.items() if key == "base_width"}
    args = settled(spec, build(ModelSpec(spec, built_with)), **given)
    assert {key: value for key, value in args.items() if key not in given} == found


def test_what_is_given_is_never_changed():
    weights = build(ModelSpec("torchvision:resnet18", {"num_classes": 7}))
    assert settled("torchvision:resnet18", weights, num_classes=9) == {"num_classes": 9}


def test_nothing_is_inferred_where_other_shapes_differ():
    weights = build(ModelSpec("wrn", {"num_classes": 20, "width": 1.5})).state_dict()
    spec, network = build_for(ModelSpec("wrn", {"num_classes": 10}), weights)
    assert spec.args == {"num_classes": 10} and isinstance(network, nn.Module)


FACTORY = """
import torch
from torch import nn

def required(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(4, num_classes))

def fixed():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))

def compiled():
    return torch.compile(fixed())

def scripted():
    return torch.jit.script(fixed())
"""


@pytest.fixture
def factories(tmp_path):
    (tmp_path / "made.py").write_text(FACTORY)
    return f"{tmp_path}/made.py"


def test_a_factory_that_requires_the_number_of_classes_gets_it(factories):
    weights = nn.Sequential(nn.Flatten(), nn.Linear(4, 6))
    assert settled(f"{factories}:required", weights) == {"num_classes": 6}
    assert settled(f"{factories}:required", nn.Sequential(nn.Flatten(), nn.Linear(4, 10))) == {"num_classes": 10}
    assert settled(f"{factories}:fixed", weights) == {}


def test_compiled_modules_are_unwrapped_and_scripts_refused(factories):
    assert type(build(ModelSpec(f"{factories}:compiled"))) is nn.Sequential
    with pytest.raises(UsageError, match="TorchScript"):
        build(ModelSpec(f"{factories}:scripted"))
