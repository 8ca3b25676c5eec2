"""A network of timm, saved as timm's own training script saves it: built by its name, run as a plain loop runs it."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cache import open_cache
from icc_cli.cli import app
from icc_cli.data import DataSource, load

timm = pytest.importorskip("timm", reason="the extra `timm` is not installed")

MODELS = {
    "resnet10t": {"in_chans": 1, "num_classes": 3},
    "vit_tiny_patch16_224": {
        "img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 3,
    },
}  # fmt: skip
ACTIVATION = {"resnet10t": torch.nn.ReLU, "vit_tiny_patch16_224": torch.nn.GELU}


@pytest.mark.parametrize("name", MODELS)
def test_extraction(name, tmp_path):
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **MODELS[name])
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    model.eval()
    args = argparse.Namespace(model=name, lr=0.05, epochs=3, mean=None, std=None, opt="sgd")
    content = {"epoch": 2, "arch": name, "state_dict": model.state_dict(), "args": args, "version": 2, "metric": 71.5}
    torch.save(content, tmp_path / "last.pth.tar")
    inferred = {"num_classes", "in_chans"} if name == "resnet10t" else {}
    given = [f"--model-arg={key}={value}" for key, value in MODELS[name].items() if key not in inferred]
    done = CliRunner().invoke(
        app,
        ["extract", str(tmp_path / "last.pth.tar"), f"--model=timm:{name}", *given, "-o", str(tmp_path),
         "--data=digits", "--per-class=4", "--test-per-class=1", "--activations=relu,gelu"],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr

    data = load(DataSource("digits", per_class=4))
    images = (torch.from_numpy(data.train.images).permute(0, 3, 1, 2).float() / 255 - data.mean[0]) / data.std[0]
    seen = []
    for module in model.modules():
        if isinstance(module, ACTIVATION[name]):
            module.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    with torch.no_grad():
        classes = model(images).argmax(1).numpy()
    with open_cache(Path(done.stdout.strip())) as cache:
        rows = cache.sample_id
        assert np.array_equal(cache.predictions, classes[rows])
        measured = cache.metadata["measured"]["train_accuracy"]
        assert measured == np.mean(classes == data.train.labels)
        assert cache.metadata["hparams"].items() >= {"model": name, "lr": 0.05, "epochs": 3, "opt": "sgd"}.items()
        assert len(cache.sites) == len(seen) > 1
        for site, value in zip(cache.sites, seen, strict=True):
            pooled = value.amax(dim=(2, 3) if value.dim() == 4 else 1).numpy()
            assert np.allclose(site.rows(0, len(rows)), pooled[rows], atol=1e-4)
        assert json.loads(cache.attributes["metadata"])["model"]["args"] == MODELS[name]
