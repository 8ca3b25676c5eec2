"""The second study's data, grid and records are what its plan says."""

import csv
import importlib.util
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from icc_cli.training.grid import load

STUDY = Path(__file__).parents[2] / "studies" / "cifar100-full-grid"
AXES = ("lr", "batch_size", "weight_decay", "optimizer", "dropout", "augmentation", "width", "depth")


def module(name):
    spec = importlib.util.spec_from_file_location(name, STUDY / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def groups(configurations, axis):
    """Groups of two or more configurations that agree on everything but `axis`."""
    keys = Counter(tuple(sorted((k, v) for k, v in c.items() if k != axis)) for c in configurations)
    return sum(count > 1 for count in keys.values())


def test_the_grid_has_the_papers_groups():
    grid, paper = load(str(STUDY / "grid.toml")), load("cifar100-coarse-wrn")
    assert len({tuple(sorted(c.items())) for c in grid.configurations}) == 192
    assert [groups(grid.configurations, axis) for axis in AXES] == [groups(paper.configurations, a) for a in AXES]


def test_every_hyperparameter_varies_in_the_rows_that_are_trained_first_and_twice():
    grid, again = load(str(STUDY / "grid.toml")), load(str(STUDY / "grid-seed1.toml"))
    assert [{**c, "seed": 1} for c in grid.configurations[:60]] == list(again.configurations)
    assert (grid.recipe, grid.schedules, grid.model_args) == (again.recipe, again.schedules, again.model_args)
    assert all(groups(again.configurations, axis) >= 12 for axis in AXES)


def test_the_subset_holds_whole_superclasses_renumbered():
    names = np.array(["apes", "fish", "birds", "cars"])
    finer = np.array([3, 1, 0, 2, 1, 0, 3, 2])  # superclass of each of eight classes
    classes = np.arange(80) % 8
    arrays = {"label_names": names, "sublabel_names": np.array([f"n{i}" for i in range(8)])}
    for prefix, rows in (("", slice(0, 64)), ("test_", slice(64, 80))):
        arrays |= {f"{prefix}images": np.arange(80)[rows], f"{prefix}sublabels": classes[rows]}
        arrays[f"{prefix}labels"] = finer[classes][rows]
    found = module("subset").subset(arrays, ("cars", "fish"))
    assert found["label_names"].tolist() == ["fish", "cars"]
    assert found["sublabel_names"].tolist() == ["n0", "n1", "n4", "n6"]
    for prefix in ("", "test_"):
        images, labels, sublabels = (found[f"{prefix}{name}"] for name in ("images", "labels", "sublabels"))
        assert sorted(images) == [i for i in arrays[f"{prefix}images"] if finer[i % 8] in (1, 3)]
        assert found["label_names"][labels].tolist() == names[finer[images % 8]].tolist()
        assert [int(name[1:]) for name in found["sublabel_names"][sublabels]] == (images % 8).tolist()
    with pytest.raises(ValueError, match="dogs"):
        module("subset").subset(arrays, ("dogs",))


def test_the_records_of_runs_grow_and_keep_what_was_trained_elsewhere(tmp_path):
    collect = module("collect")
    known = tmp_path / "runs.csv"
    fields = {"training": {"end": "stopped", "fitted": True}, "hparams": {"lr": 0.1, "augmentation": False}, "epoch": 9}
    with known.open("w", newline="") as file:
        table = csv.DictWriter(file, ["checkpoint", "train_accuracy"])
        table.writeheader()
        table.writerows([{"checkpoint": "b.pt", "train_accuracy": "1"}, {"checkpoint": "z.pt", "train_accuracy": "0"}])
    folder = tmp_path / "ckpts-seed1"
    folder.mkdir()
    content = {**fields, "metrics": {"train_accuracy": 0.123456789, "train_loss": None}}
    (folder / "b.diverged.json").write_text(json.dumps(content))
    rows = collect.merged(tmp_path, known)
    assert [row["checkpoint"] for row in rows] == ["b.pt", "z.pt"]
    expected = {"lr": "0.1", "augmentation": "False", "epochs": "9", "end": "stopped", "fitted": "true"}
    assert rows[0] == {"checkpoint": "b.pt", **expected, "train_accuracy": "0.123457", "train_loss": ""}
    assert rows[1] == {"checkpoint": "z.pt", "train_accuracy": "0"}
