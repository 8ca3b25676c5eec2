"""Good files of every format that icc reads, small, to be spoiled field by field."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import torch

from tests.faults.forked import holds

COUNT = 12
NET = {"num_classes": 2, "base_width": 2, "in_channels": 1, "input_size": 8}


class Good:
    """Good files in `folder`; each try takes a fresh folder below it."""

    def __init__(self, folder):
        from icc_cli.models.spec import ModelSpec, build

        self.folder = Path(folder)
        self.count = COUNT
        torch.manual_seed(0)
        self._state = dict(build(ModelSpec("vgg", NET)).state_dict())
        self._data = self.folder / "d.npz"
        self.images = np.random.default_rng(0).integers(0, 255, (COUNT, 8, 8), np.uint8)
        self.labels = np.arange(COUNT) % 2
        fine = np.arange(COUNT) % 4
        np.savez(self._data, images=self.images, labels=fine, test_images=self.images, test_labels=fine)
        self.plain = self.folder / "plain.pt"
        torch.save(self._state, self.plain)
        self.model = ("--model", "vgg:" + ",".join(f"{key}={value}" for key, value in NET.items()))
        np.savez(self.folder / "flat.npz", images=self.images, labels=self.labels)
        self.data = ("--data", f"npz:{self.folder / 'flat.npz'}", "--mean", "0.4", "--std", "0.3")
        self.train = ("train", "--preset", "g.toml", "-o", "ckpts", "--jobs", "1", "-q", *self.data)
        torch.save(self.checkpoint(), self.folder / "net.pt")
        self._make("extract", "net.pt", "-o", "acts.h5", "--with-test")
        for part in (1, 2):
            self._make("extract", "net.pt", "-o", "parts.h5", "--rows", f"{part}/2")
        self.caches = {"whole": ("acts.h5",), "part": ("parts.1of2.h5", "parts.2of2.h5")}
        self._make("measure", "acts.h5", "--k", "3", "--per-site", "--all-k", "--measures", "paper,outputs", "-o", "m")
        self.record_file = self.folder / "records.jsonl"
        self.record_file.write_text("\n".join(map(json.dumps, self.records())) + "\n")

    def _make(self, *command):
        holds(*command, "-q", cwd=self.folder, allowed=(0,), seconds=60)

    def fresh(self):
        """An empty folder; the one before is removed."""
        folder = self.folder / "try"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def checkpoint(self):
        """As `icc train` saves it."""
        return {
            "format": "icc-checkpoint",
            "version": 1,
            "state_dict": self._state,
            "model": {"spec": "vgg", "args": dict(NET)},
            "data": {
                "spec": f"npz:{self._data}",
                "hierarchy": {"0": "a", "1": "a", "2": "b", "3": "b"},
                "per_class": 3,
                "test_per_class": 3,
                "image_size": 8,
                "digest": "0" * 64,
                "mean": [0.4],
                "std": [0.3],
            },
            "hparams": {"lr": 0.1, "family": "vgg", "seed": 0},
            "metrics": {"train_accuracy": 0.99, "test_accuracy": 0.9, "train_loss": 0.1},
            "epoch": 3,
            "training": {"end": "loss", "fitted": True},
            "content_key": "0" * 64,
        }

    def trained(self):
        """The checkpoint that `grid` ends with, and what it holds."""
        (self.folder / "g.toml").write_text(self.toml(self.grid()))
        self._make(*self.train)
        (path,) = (self.folder / "ckpts").glob("*.pt")
        return path, torch.load(path, weights_only=True)

    def foreign(self):
        """As a training loop of somebody else saves it."""
        return {
            "state_dict": self._state,
            "epoch": 3,
            "global_step": 100,
            "hyper_parameters": {"lr": 0.1, "opt": "sgd", "mean": [0.4], "std": [0.3]},
            "args": {"bs": 32},
            "metrics": {"val_acc": 0.9, "train": {"loss": 0.1}},
            "best_acc1": 91.5,
            "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        }

    def metadata(self, version):
        with h5py.File(self.folder / self.caches[version][-1], "r") as file:
            return json.loads(file.attrs["metadata"])

    def cache_attributes(self):
        """(object, attribute) pairs of a cache."""
        with h5py.File(self.folder / "acts.h5", "r") as file:
            found = [("/", name) for name in file.attrs]
            site = file["sites/000"]
            return [*found, *((site.name, name) for name in site.attrs)]

    def cache_arrays(self):
        """The names of a cache's arrays, of sites the first and the last; and of some groups."""
        found = []
        with h5py.File(self.folder / "acts.h5", "r") as file:
            file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
            last = max(file["sites"])
        kept = [name for name in found if "sites/" not in name or f"sites/{last}" in name]
        return [*kept, f"sites/{last}", "sites", "labels", "head"]

    def copies(self, version, folder):
        """The cache's files, copied to `folder`."""
        return [shutil.copy(self.folder / name, folder / name) and folder / name for name in self.caches[version]]

    def records(self):
        """Four records, of which the first is a real one."""
        (path,) = (self.folder / "m").glob("*.json")
        record = json.loads(path.read_text())
        found = []
        for number in range(4):
            measures = {name: (value or 0) + number for name, value in record["measures"].items()}
            hparams = {"lr": 0.1 * (1 + number % 2), "bs": 1 + number // 2, "seed": 0}
            metrics = {"train_accuracy": 0.9, "test_accuracy": 0.5 + 0.1 * number}
            name = f"net{number}.pt"
            own = {"checkpoint": name, "weights_sha256": str(number) * 64, "hparams": hparams, "metrics": metrics}
            curves = {name: [value + number for value in curve] for name, curve in record["all_k"].items()}
            found.append({**record, **own, "measures": measures, "all_k": curves})
        return found

    def grid(self):
        return {
            "data": {"spec": "digits", "per_class": 5},
            "model": {"spec": "vgg", "base_width": 2},
            "training": {"epochs": 1, "drops": [1], "stop_loss": 0.0, "shift": 1, "flip": False, "momentum": 0.9},
            "grid": {"batch_size": [4, 6], "optimizer": ["sgd"]},
            "joint": [{"names": ["lr", "width"], "values": [[0.1, 1.0]]}],
            "exclude": [{"batch_size": 6}],
            "schedule": [{"when": {"batch_size": 4}, "epochs": 1}],
            "seeds": [0],
        }

    def toml(self, value, top=True):
        """TOML of nested plain values, every table inline below the top."""
        if isinstance(value, dict) and top:
            return "\n".join(f"{json.dumps(key)} = {self.toml(item, False)}" for key, item in value.items()) + "\n"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {self.toml(item, False)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.toml(item, False) for item in value) + "]"
        return json.dumps(value)

    def lists(self):
        index = {"metadata": {"total_size": 3}, "weight_map": dict.fromkeys(list(self._state)[:3], "plain.pt")}
        tree = {
            "name": "root",
            "children": [{"name": "a", "children": [{"name": "0"}]}, {"name": "b", "children": [{"name": "1"}]}],
        }
        pairs = {"0": "a", "1": "b"}
        rows = [{"subclass": "0", "class": "a"}, {"subclass": "1", "class": "b"}]
        plain = ("extract", self.plain, "-q", "-o", "x.h5", *self.model)
        return {
            "index": ("net.bin.index.json", index, (("inspect", "net.bin.index.json"),)),
            "index of a folder": (
                "in/net.bin.index.json",
                index,
                (("extract", "in", "-o", "out", *self.model, *self.data),),
            ),
            "hierarchy tree": ("h.json", tree, ((*plain, *self.data, "--hierarchy", "h.json"),)),
            "hierarchy pairs": ("h.json", pairs, ((*plain, *self.data, "--hierarchy", "h.json"),)),
            "hierarchy rows": ("h.json", rows, ((*plain, *self.data, "--hierarchy", "h.json"),)),
        }

    def beside(self, folder, file):
        """What has to lie beside a file."""
        if file.endswith("index.json"):
            shutil.copy(self.plain, (folder / file).with_name("plain.pt"))

    def arrays(self):
        """Arrays of data sets, by form."""
        images = {"images": self.images, "labels": self.labels}
        names = {"label_names": np.array(["a", "b"]), "sublabel_names": np.array(list("abcd"))}
        test = {"test_images": self.images, "test_labels": self.labels, "test_sublabels": np.arange(COUNT) % 4}
        inputs = {"inputs": np.zeros((COUNT, 1, 8, 8), np.float32), "labels": self.labels}
        return {"images": {**images, "sublabels": np.arange(COUNT) % 4, **names, **test}, "inputs": inputs}
