"""Fixtures that several test folders share: really trained networks, and the commands as users run them."""

import functools
import os
import signal
import subprocess
from pathlib import Path

import hypothesis
import pytest
import torch
import torch.nn.functional as F

from icc_cli.data import DataSource, load
from icc_cli.models.spec import ModelSpec, build
from tests import warm

ROOT = Path(__file__).parent.parent
hypothesis.settings.register_profile("icc", deadline=None)  # a shared machine's time says nothing of an example
hypothesis.settings.load_profile("icc")
SHARED = ROOT.parent / "shared"
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell's `&` has it, and every command run here would
    signal.signal(signal.SIGINT, signal.default_int_handler)
PER_CLASS = 12
MODELS = {
    "vgg-fast": (ModelSpec("vgg", {"num_classes": 3, "base_width": 4, "in_channels": 1, "input_size": 8}), 0.1),
    "vgg-slow": (ModelSpec("vgg", {"num_classes": 3, "base_width": 4, "in_channels": 1, "input_size": 8}), 0.01),
    "wrn": (ModelSpec("wrn", {"num_classes": 3, "base_width": 4, "in_channels": 1, "input_size": 8}), 0.05),
}


@functools.cache
def warm_server():
    return warm.Server()


def icc(*arguments, cwd=None, stdin=None, timeout=240, path=""):
    """Run `icc` in a process of its own, as a user would; gives the completed process, outputs as text.

    `path` is a folder of packages beside the installed ones.
    """
    packages = os.pathsep.join(filter(None, [str(ROOT), str(path)]))
    env = {**os.environ, "PYTHONPATH": packages, "OMP_NUM_THREADS": "1"}
    return warm_server().run([str(argument) for argument in arguments], cwd, stdin, timeout, env)


def trained(spec, lr, steps=25):
    """A network after a plain training loop on a few digits, and its checkpoint as `icc train` would save it."""
    torch.manual_seed(0)
    data = load(DataSource("digits", per_class=PER_CLASS))
    model = build(spec)
    images = (torch.from_numpy(data.train.images).permute(0, 3, 1, 2).float() / 255 - data.mean[0]) / data.std[0]
    labels = torch.from_numpy(data.train.labels)
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return {
        "format": "icc-checkpoint",
        "version": 1,
        "state_dict": model.state_dict(),
        "model": {"spec": spec.spec, "args": spec.args},
        "data": {**data.described, "digest": data.digest, "mean": list(data.mean), "std": list(data.std)},
        "hparams": {"lr": lr, "family": spec.spec},
        "metrics": {},
        "epoch": steps,
    }


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """A folder of three trained checkpoints, as `icc train` saves them."""
    folder = tmp_path_factory.mktemp("ckpts")
    for name, (spec, lr) in MODELS.items():
        torch.save(trained(spec, lr), folder / f"{name}.pt")
    return folder


@pytest.fixture(scope="session")
def caches(checkpoints, tmp_path_factory):
    """The caches that `icc extract` makes of them."""
    folder = tmp_path_factory.mktemp("acts")
    done = icc("extract", checkpoints, "-o", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)
