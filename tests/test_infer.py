"""Arguments of a network that its weights settle, and those that they do not."""

import pytest
import torch
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


def test_out_of_memory_halves_the_batch_and_the_numbers_stay(tmp_path):
    from icc_cli.cache import open_cache
    from icc_cli.data import DataSource, load
    from icc_cli.extraction import Extraction, extract

    data = load(DataSource("digits", per_class=4))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3))
    sizes, told = [], []

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, x):
            sizes.append(len(x))
            if len(x) > 6:
                raise torch.OutOfMemoryError("out of memory")
            return self.inner(x)

    def run(model, size, name):
        how = Extraction(torch.device("cpu"), size, (0.3,), (0.38,))
        extract(model, data.train, None, tmp_path / name, how, "key", lambda measured: {}, note=told.append)
        with open_cache(tmp_path / name) as cache:
            return cache.sites[0].rows(0, len(cache.labels)), cache.predictions

    whole, predictions = run(network, 1000, "whole.h5")
    assert not told
    halved, same = run(Small(), 32, "halved.h5")
    assert sizes[:4] == [32, 16, 8, 4] and max(sizes[3:]) == 4
    assert told == [f"memory ran out; going on with batches of {size}." for size in (16, 8, 4)]
    torch.testing.assert_close(torch.tensor(halved), torch.tensor(whole), rtol=1e-5, atol=1e-6)
    assert (predictions == same).all()
    run(network, None, "chosen.h5")


def test_one_image_too_many_is_said(tmp_path):
    from icc_cli.data import DataSource, load
    from icc_cli.errors import CheckpointError
    from icc_cli.extraction import Extraction, extract

    class Never(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("out of memory")

    data = load(DataSource("digits", per_class=2))
    how = Extraction(torch.device("cpu"), 8, (0.3,), (0.38,))
    with pytest.raises(CheckpointError, match="one image takes more memory"):
        extract(Never(), data.train, None, tmp_path / "acts.h5", how, "key", lambda measured: {})
    assert not (tmp_path / "acts.h5").exists()
