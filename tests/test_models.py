"""The built-in networks have the paper's layers and neurons; --model names are parsed, built or refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from icc_cli.errors import UsageError
from icc_cli.models import ModelSpec, build, parse


def neurons(network: nn.Module, size: int = 32, channels: int = 3) -> list[int]:
    """Feature maps at the input of each ReLU call, by forward hooks."""
    found: list[int] = []
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].shape[1]))
    network.eval()(torch.zeros(2, channels, size, size))
    return found


@pytest.mark.parametrize(
    ("spec", "count", "sites", "layers"),
    [
        ("vgg", 960, 8, 9),
        ("vgg:width=1.5", 1440, 8, 9),
        ("vgg:depth=1.5", 1440, 12, 13),
        ("wrn", 1920, 16, 18),
        ("wrn:width=1.5", 2880, 16, 18),
        ("wrn:depth=1.5,num_classes=20", 2880, 24, 26),
    ],
)
def test_neurons_and_layers_are_the_papers(spec: str, count: int, sites: int, layers: int) -> None:
    network = build(parse(spec))
    assert sum(neurons(network)) == count
    assert len(neurons(network)) == sites
    weighted = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert len([m for m in weighted if isinstance(m, nn.Linear) or m.kernel_size == (3, 3)]) == layers


@pytest.mark.parametrize("name", ["vgg", "wrn"])
@pytest.mark.parametrize("size", [5, 8, 28])
def test_small_and_grey_images_pass(name: str, size: int) -> None:
    network = build(ModelSpec(name, {"num_classes": 7, "in_channels": 1, "base_width": 4, "dropout": 0.2}))
    assert network(torch.randn(3, 1, size, size)).shape == (3, 7)


@pytest.mark.parametrize("name", ["vgg", "wrn"])
def test_dropout_leaves_the_names_of_weights_alone(name: str) -> None:
    plain, dropped = (build(ModelSpec(name, {"base_width": 2, "dropout": p})) for p in (0.0, 0.4))
    assert plain.state_dict().keys() == dropped.state_dict().keys()


def test_arguments_are_typed() -> None:
    assert parse("wrn:depth=1.5,width=1", ["num_classes=20", "flag=true", "name=x"]) == ModelSpec(
        "wrn", {"depth": 1.5, "width": 1, "num_classes": 20, "flag": True, "name": "x"}
    )


def test_torchvision_is_built_without_weights() -> None:
    network = build(parse("torchvision:resnet18", ["num_classes=10"]))
    assert isinstance(network, nn.Module)
    assert network.fc.out_features == 10  # type: ignore[union-attr]


def test_factories_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from torch import nn\ndef net(width=2): return nn.Linear(width, 2)\ndef no(): return 3\n"
    (tmp_path / "my_nets.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    for spec in ("my_nets.py:net", "my_nets:net", f"{tmp_path}/my_nets.py:net"):
        model = parse(spec, ["width=5"])
        assert model.runs_user_code
        assert build(model).in_features == 5
    with pytest.raises(UsageError, match=r"expected a torch.nn.Module"):
        build(parse("my_nets:no"))
    with pytest.raises(UsageError, match=r"It takes width=2"):
        build(parse("my_nets:net", ["depth=2"]))
    assert not parse("torchvision:resnet18").runs_user_code


@pytest.mark.parametrize(
    "spec",
    ["resnet", "wrn:depth", "torchvision:resnet19", "no.such:factory", "none.py:f", "math:nothing", "vgg:banana=1",
     "vgg:width=0", "vgg:depth=0.1", "wrn:dropout=1", "wrn:width=x", "torchvision:resnet18x", ":f", "timm:"],
)  # fmt: skip
def test_what_is_wrong_is_told_in_a_sentence(spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(parse(spec))
    assert len(str(caught.value).splitlines()) == 1


def test_arguments_may_be_lists_and_dictionaries() -> None:
    spec = parse("my.py:net", ["channels=[8,16]", "cfg={'classes': 3}", "pair=(1,2)", "name=a[b", "size=8x8"])
    assert spec.args == {"channels": [8, 16], "cfg": {"classes": 3}, "pair": (1, 2), "name": "a[b", "size": "8x8"}


def test_an_instance_is_copied_and_a_tuple_gives_its_network(tmp_path: Path) -> None:
    source = "from torch import nn\nnet = nn.Linear(2, 2)\ndef pair(): return None, net, 3\nnumber = 3\n"
    (tmp_path / "made.py").write_text(source)
    first, second = (build(parse(f"{tmp_path}/made.py:net")) for _ in range(2))
    first.weight.data.zero_()
    assert second.weight.abs().sum() > 0
    assert isinstance(build(parse(f"{tmp_path}/made.py:pair")), nn.Linear)
    for name, words in (("net", "cannot be made with width=3"), ("number", "it is of type int")):
        with pytest.raises(UsageError, match=words):
            build(parse(f"{tmp_path}/made.py:{name}", ["width=3"]))


def test_downloads_are_refused() -> None:
    with pytest.raises(UsageError, match="download"):
        build(parse("torchvision:resnet18", ["weights=DEFAULT"]))
