"""Good files of every format that icc reads, small, to be spoiled field by field."""

import io
import json
import shutil
import zipfile
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
        self._images = np.random.default_rng(0).integers(0, 255, (COUNT, 8, 8), np.uint8)
        self._labels = np.arange(COUNT) % 2
        fine = np.arange(COUNT) % 4
        np.savez(self._data, images=self._images, labels=fine, test_images=self._images, test_labels=fine)
        self.plain = self.folder / "plain.pt"
        torch.save(self._state, self.plain)
        self.model = ("--model", "vgg:" + ",".join(f"{key}={value}" for key, value in NET.items()))
        np.savez(self.folder / "flat.npz", images=self._images, labels=self._labels)
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

    def runs(self):
        """Name, content and further options of tables of runs, in the forms of JSON that tools write."""
        rows = [
            {"checkpoint": f"net{n}.pt", "lr": 0.1 * (1 + n % 2), "bs": 1 + n // 2, "test_accuracy": 0.5 + 0.1 * n}
            for n in range(4)
        ]
        nested = [
            {"name": row["checkpoint"], "config": {"lr": row["lr"], "m": {"w": 1}}, "summary": {"test_accuracy": 0.5}}
            for row in rows
        ]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        by_column = {name: {str(i): row[name] for i, row in enumerate(rows)} for name in rows[0]}
        by_row = {row["checkpoint"]: {key: row[key] for key in ("lr", "bs", "test_accuracy")} for row in rows}
        split = {"columns": list(rows[0]), "index": [0, 1, 2, 3], "data": [list(row.values()) for row in rows]}
        ray = {
            **rows[0],
            "checkpoint": "net0.pt",
            "trial_id": "a",
            "training_iteration": 3,
            "config": {"lr": 0.1},
            "time_total_s": 3.0,
        }
        evaluation = {
            "results": {"task": {"acc,none": 0.5, "alias": "task"}},
            "config": {"model_args": {"pretrained": "net0.pt"}},
            "model_name": "a",
        }
        return {
            "list": ("runs.json", rows, ()),
            "nested": ("runs.json", nested, ()),
            "columns": ("runs.json", columns, ()),
            "by column": ("runs.json", by_column, ()),
            "by row": ("runs.json", by_row, ()),
            "split": ("runs.json", split, ()),
            "table": ("runs.json", {"schema": {"fields": []}, "data": rows}, ()),
            "ray": ("a/result.json", ray, ()),
            "lm-eval": ("runs.json", evaluation, ()),
        }

    def tables(self):
        header = ("name", "lr", "bs", "seed", "gap", "m1", "m2")
        rows = [
            (f"net{n}.pt", str(0.1 * (n % 2)), str(n // 2), "0", str(n * 0.01), str(n * n % 7), str(-n))
            for n in range(4)
        ]
        wandb = ("Name", "State", "Created", "lr", "bs", "gap", "m1", "m2", "config")
        runs = [(*row[:1], "finished", "today", *row[1:3], *row[4:], "{'a': 1}") for row in rows]
        return {"plain": (header, rows, ","), "semicolons": (header, rows, ";"), "wandb": (wandb, runs, ",")}

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
        images = {"images": self._images, "labels": self._labels}
        names = {"label_names": np.array(["a", "b"]), "sublabel_names": np.array(list("abcd"))}
        test = {"test_images": self._images, "test_labels": self._labels, "test_sublabels": np.arange(COUNT) % 4}
        inputs = {"inputs": np.zeros((COUNT, 1, 8, 8), np.float32), "labels": self._labels}
        return {"images": {**images, "sublabels": np.arange(COUNT) % 4, **names, **test}, "inputs": inputs}

    def lying_npz(self):
        """(name, bytes) of .npz files whose headers lie, or that are something else."""
        stream = io.BytesIO()
        np.save(stream, self._images)
        yield "a single array", stream.getvalue()
        header = stream.getvalue()[10:].partition(b"\n")[0].decode()
        spoiled = {
            "2**37 rows": header.replace("(12, 8, 8)", f"({2**37}, 8, 8)"),
            "2**70 rows": header.replace("(12, 8, 8)", f"({2**70}, 8, 8)"),
            "5,000 digits": header.replace("(12, 8, 8)", f"({'1' * 5000}, 8, 8)"),
            "-1 rows": header.replace("(12, 8, 8)", "(-1, 8, 8)"),
            "text rows": header.replace("(12, 8, 8)", "('a', 8, 8)"),
            "float rows": header.replace("(12, 8, 8)", "(12.0, 8, 8)"),
            "True rows": header.replace("(12, 8, 8)", "(True, 8, 8)"),
            "no axes": header.replace("(12, 8, 8)", "()"),
            "a list of axes": header.replace("(12, 8, 8)", "[12, 8, 8]"),
            "100 axes": header.replace("(12, 8, 8)", f"({'1, ' * 100})"),
            "objects": header.replace("|u1", "|O"),
            "unknown type": header.replace("|u1", "|q9"),
            "empty type": header.replace("'|u1'", "''"),
            "wide text": header.replace("|u1", "<U1000000000"),
            "void": header.replace("|u1", "|V0"),
            "type of None": header.replace("'|u1'", "None"),
            "type of a number": header.replace("'|u1'", "3"),
            "type of lists": header.replace("'|u1'", "[('a', '|u1'), ('b', 'O')]"),
            "type of a type": header.replace("'|u1'", "[[[]]]"),
            "order": header.replace("False", "3"),
            "no fields": "{}",
            "a list": "[]",
            "code": "__import__('os')",
            "deep": "(" * 5000 + ")" * 5000,
            "brackets": "[" * 50_000,
            "a comma": "{'descr': '|u1', 'fortran_order': False, 'shape': (12, 8, 8), }, ",
            "NUL": "{'descr': '|u1\0', 'fortran_order': False, 'shape': (12, 8, 8), }",
            "more fields": header.replace("}", "'a': 1}"),
            "byte 255": "\xff" * 20,
        }
        for name, text in spoiled.items():
            body = text.encode("latin1") + b"\n"
            for version, length in ((1, 2), (2, 4)):
                if len(body) < 2 ** (8 * length):
                    start = b"\x93NUMPY" + bytes([version, 0]) + len(body).to_bytes(length, "little") + body
                    yield f"images header of {name} {version}", self._npz(start + self._images.tobytes())
        long = b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little") + header.encode()
        yield "header of 4 GB", self._npz(long)
        yield "version 9", self._npz(b"\x93NUMPY\x09\x00" + header.encode())
        yield "no array", self._npz(b"text")
        yield "an empty array", self._npz(b"")
        yield "an empty archive", self._npz(None)
        yield "text", b"images\n"
        yield "nothing", b""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("images.npy", stream.getvalue())
            archive.writestr("images.npy", stream.getvalue())
            archive.writestr("labels", b"labels")
            archive.writestr("../../labels.npy", b"labels")
        yield "names twice", packed.getvalue()

    def _npz(self, content):
        stream, labels = io.BytesIO(), io.BytesIO()
        np.save(labels, self._labels)
        with zipfile.ZipFile(stream, "w") as archive:
            if content is not None:
                archive.writestr("images.npy", content)
                archive.writestr("labels.npy", labels.getvalue())
        return stream.getvalue()
