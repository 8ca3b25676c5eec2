"""Each typical mistake is answered with its next step, and nothing is written or lost; what is near chance is said."""

import json
import shlex
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from icc_cli.cli import app
from icc_cli.data import DataSource, load
from icc_cli.extraction.checkpoint import near_chance
from tests.cli.mistakes import MISTAKES
from tests.conftest import PER_CLASS

FACTORY = """
from icc_cli.models.spec import ModelSpec, build

def wrn(base_width=4):
    return build(ModelSpec("wrn", dict(num_classes=3, base_width=base_width, in_channels=1, input_size=8)))
"""


def icc(line, **options):
    return CliRunner().invoke(app, shlex.split(line), **options)


@pytest.fixture(scope="module")
def folder(checkpoints, caches, tmp_path_factory):
    root = tmp_path_factory.mktemp("mistakes")
    shutil.copytree(checkpoints, root / "ckpts")
    shutil.copytree(caches, root / "acts")
    done = icc(f"measure {root / 'acts'} -o {root / 'results'}")
    assert done.exit_code == 0, done.output
    for name in ("plain", "empty", "images/cat"):
        (root / name).mkdir(parents=True)
    torch.save(torch.load(checkpoints / "wrn.pt", weights_only=True)["state_dict"], root / "plain" / "net.pt")
    (root / "nets.py").write_text(FACTORY)
    np.savez(root / "d.npz", images=np.zeros((6, 8, 8), np.uint8), labels=np.arange(6) % 3)
    (root / "table.csv").write_text("checkpoint,lr,acc,m\na.pt,1,.5,1\nb.pt,2,.6,2\n")
    return root


def files(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_there_are_forty_of_them():
    assert len({line for line, _, _ in MISTAKES}) == len(MISTAKES) >= 40


@pytest.mark.parametrize(("line", "code", "step"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_is_answered_with_its_next_step(line, code, step, folder, monkeypatch):
    monkeypatch.chdir(folder)
    before = files(folder)
    done = icc(line)
    said = " ".join(done.stderr.replace("│", " ").split())
    assert done.exit_code == code, said
    assert step in said
    assert "Traceback" not in said and done.stdout == ""
    assert files(folder) == before


def test_a_record_is_replaced_where_nothing_of_it_is_lost(folder, tmp_path):
    measure = f"measure {folder / 'acts' / 'wrn.h5'} -o {tmp_path}"

    def stored():
        return json.loads((tmp_path / "wrn.measure.json").read_text())

    assert icc(f"{measure} --measure c3").exit_code == 0
    assert icc(measure).exit_code == 0 and len(stored()["measures"]) == 4, "more measures"
    assert icc(f"{measure} --convention reference").exit_code == 2 and stored()["convention"] == "paper"
    assert icc(f"{measure} --k 5 --force").exit_code == 0 and stored()["k"] == 5
    assert icc(f"{measure} --k 5 --all-k").exit_code == 0 and stored()["all_k"]
    assert "is up to date" in icc(f"{measure} --k 5 --all-k").stderr


def test_another_sharpness_is_kept_too(folder, tmp_path):
    run = f"sharpness {folder / 'ckpts' / 'wrn.pt'} -o {tmp_path} --tolerance 1 --max-samples 12"
    assert icc(f"{run} --mode random --target drop:0.3").exit_code == 0
    other = icc(f"{run} --mode random --target drop:0.2")
    assert other.exit_code == 2 and "was made with target = drop:0.3; it is kept" in " ".join(other.stderr.split())
    mode = icc(f"{run} --mode worst --target drop:0.3")
    assert mode.exit_code == 2 and "holds inv_sigma" in mode.stderr


@pytest.mark.parametrize(("share", "least"), [(0.01, 0.015), (0.1, 0.15), (0.5, 0.55), (0.9, 0.91)])
def test_near_chance_is_measured_against_the_largest_class(share, least):
    assert near_chance(share) == pytest.approx(least)


def extracted(folder, tmp_path, change):
    """What is said of the trained network on its digits, with labels changed."""
    data = load(DataSource("digits", per_class=PER_CLASS))
    arrays = {"images": data.train.images, "labels": data.train.labels}
    arrays |= {"test_images": data.test.images, "test_labels": data.test.labels}
    np.savez(tmp_path / "d.npz", **change(arrays))
    own = f"--mean {data.mean[0]} --std {data.std[0]}"
    return icc(f"extract {folder / 'ckpts' / 'vgg-fast.pt'} -o {tmp_path} --data npz:{tmp_path / 'd.npz'} {own}").stderr


def test_labels_of_another_order_are_told_on_either_split(folder, tmp_path):
    assert "near chance" not in extracted(folder, tmp_path, lambda arrays: arrays)
    others = ("labels", "test_labels")
    train = extracted(folder, tmp_path, lambda arrays: {**arrays, **{name: (arrays[name] + 1) % 3 for name in others}})
    assert "train accuracy is" in train and "near chance" in train and "its labels" in train
    assert "test accuracy is" not in train, "said once"
    test = extracted(folder, tmp_path, lambda arrays: {**arrays, "test_labels": (arrays["test_labels"] + 1) % 3})
    assert "test accuracy is" in test and "near chance" in test and "its test labels" in test
