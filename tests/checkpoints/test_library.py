"""Checkpoints that transformers has written, under names that its networks no longer have: as it reads them itself."""

import pytest
import torch
from torch import nn

from icc_cli.checkpoints import load_into, read
from icc_cli.checkpoints.fit import fit_of
from icc_cli.errors import CheckpointError

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def transformers():
    return pytest.importorskip("transformers", reason="the extra `transformers` is not installed")


def vit():
    config = transformers().ViTConfig(image_size=8, patch_size=4, num_channels=1, num_labels=10, **SIZES)
    return transformers().ViTForImageClassification(config)


def gpt2():
    """Its output layer is its embedding, and is saved once."""
    config = transformers().GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1)
    return transformers().GPT2LMHeadModel(config)


def mixtral():
    """Its experts are saved one by one, and held in one tensor."""
    sizes = {"vocab_size": 50, "num_key_value_heads": 2, "num_local_experts": 2, "pad_token_id": 0, "num_labels": 3}
    return transformers().MixtralForSequenceClassification(transformers().MixtralConfig(**sizes, **SIZES))


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.scale = vit(), 2.0

    def forward(self, x):
        return self.scale * self.inner(x).logits


def images():
    return torch.linspace(-1, 1, 3 * 64).view(3, 1, 8, 8)


def tokens():
    return torch.arange(12).view(2, 6) + 3


MODELS = {"vit": (vit, images), "gpt2": (gpt2, tokens), "mixtral": (mixtral, tokens)}


@pytest.fixture(params=MODELS)
def saved(request, tmp_path):
    """A factory, inputs, the file that the library has written, and what it computes after it has read it."""
    make, inputs = MODELS[request.param]
    network = make().eval()
    network.save_pretrained(tmp_path)
    network = type(network).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        return make, inputs(), tmp_path / "model.safetensors", network(inputs()).logits


def outputs(network, inputs):
    with torch.no_grad():
        found = network.eval()(inputs)
    return found if isinstance(found, torch.Tensor) else found.logits


def test_the_numbers_are_those_of_the_network_that_the_library_loads(saved, capfd):
    make, inputs, path, expected = saved
    assert set(read(path).state) != set(make().state_dict())
    network = make()
    before = transformers().utils.logging.get_verbosity()
    capfd.readouterr()
    fit = fit_of(network, read(path))
    assert fit.exact and fit.fitting == len(network.state_dict())
    load_into(network, read(path), "model")
    assert torch.equal(outputs(network, inputs), expected)
    assert "".join(capfd.readouterr()) == "" and transformers().utils.logging.get_verbosity() == before


@pytest.mark.parametrize("prefix", ["", "model.", "net."])
def test_in_a_wrapper_and_under_prefixes(prefix, tmp_path):
    network = Wrapped().eval()
    network.inner.save_pretrained(tmp_path)
    state = read(tmp_path / "model.safetensors").state
    torch.save({"state_dict": {prefix + name: value for name, value in state.items()}}, tmp_path / "net.pt")
    for other in (Wrapped(), vit()):
        load_into(other, read(tmp_path / "net.pt"), "model")
        scale = getattr(other, "scale", 1.0)
        assert torch.equal(outputs(other, images()) / scale, outputs(network, images()) / network.scale)


def test_precision_is_kept_for_each_weight(tmp_path):
    network = vit()
    network.save_pretrained(tmp_path)
    state = read(tmp_path / "model.safetensors").state
    halved = next(iter(state))  # the library would take its type for that of all
    torch.save({name: value.half() if name == halved else value for name, value in state.items()}, tmp_path / "net.pt")
    other = vit()
    load_into(other, read(tmp_path / "net.pt"), "model")
    same = [torch.equal(a, b) for a, b in zip(network.state_dict().values(), other.state_dict().values(), strict=True)]
    assert same.count(False) <= 1


def test_what_does_not_fit_is_told_under_the_names_of_the_file(tmp_path):
    vit().save_pretrained(tmp_path)
    state = read(tmp_path / "model.safetensors").state
    torch.save({name: value for name, value in state.items() if "classifier" not in name}, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="does not fit the model") as caught:
        load_into(vit(), read(tmp_path / "net.pt"), "model")
    assert "missing from the checkpoint: classifier.weight" in caught.value.details


def test_shared_weights_that_are_saved_once(tmp_path):
    from safetensors.torch import save_model

    def make():
        net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        net[2].weight = net[0].weight
        return net

    net = make()
    save_model(net, str(tmp_path / "net.safetensors"))
    checkpoint = read(tmp_path / "net.safetensors")
    assert len(checkpoint.state) == 3
    other = make()
    load_into(other, checkpoint, "model")
    assert torch.equal(other(torch.ones(1, 4)), net(torch.ones(1, 4)))
    untied = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    with pytest.raises(CheckpointError):
        load_into(untied, checkpoint, "model")
