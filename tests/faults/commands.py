"""Commands that write, small enough to be run by the thousand, the files that they are given, and what they leave."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch

from tests.faults.forked import ended, holds

GRID = """
[data]
spec = "digits"
per_class = 4
[model]
spec = "vgg"
base_width = 2
[training]
epochs = 2
drops = [1]
shift = 1
flip = false
[grid]
lr = [0.01, 0.1]
"""
TABLE = "name,lr,bs,gap,m1,m2\n" + "".join(f"n{i},{i % 3},{i % 2},{i * 0.01},{i * i % 7},{-i}\n" for i in range(12))
RANK = ("table.csv", "--hparams", "lr,bs", "--target", "gap", "--measures", "m1,m2")
STEPS = ("--ascent-steps", "5", "--tolerance", "0.9")


@dataclass(frozen=True)
class Command:
    """A command that writes to `out`, of the files that `Given` has made."""

    name: str
    arguments: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()

    def run(self):
        return ended(*self.arguments, "-q", env=dict(self.env), seconds=60)


COMMANDS = (
    Command("measure", ("measure", "acts", "--k", "3", "-o", "out")),
    Command("rank", ("rank", *RANK, "-o", "out/rank.csv")),
    Command("extract", ("extract", "ckpts", "-o", "out")),
    Command("measure and remove", ("measure", "acts", "--k", "3", "--remove-caches", "-o", "out")),
    Command("measure again", ("measure", "acts", "--k", "3", "--force", "-o", "results")),
    Command("extract a part", ("extract", "ckpts", "--rows", "1/2", "-o", "out")),
    Command("extract a shard", ("extract", "ckpts", "--shard", "1/1", "-o", "out"), (("ICC_INPUT_LIST", "out/list"),)),
    Command("measure from memory", ("measure", "ckpts", "--k", "3", "-o", "out")),
    Command("sharpness", ("sharpness", "ckpts", "--mode", "random", "--tolerance", "0.9", "-o", "out")),
    Command("train", ("train", "--preset", "grid.toml", "--jobs", "1", "--save-epochs", "0,1,2", "-o", "out")),
    Command("plot", ("plot", "psi", *RANK, "-o", "out/psi.pdf", "--data", "out/psi.csv")),
    Command("report", ("report", "results", "-o", "out/report.html")),
    Command("extract both splits", ("extract", "ckpts", "--with-test", "--store-dtype", "float16", "-o", "out")),
    Command("measure at every k", ("measure", "acts", "--all-k", "--per-site", "-o", "out")),
    Command("sharpness of kernels", ("sharpness", "ckpts", "--kernels-only", *STEPS, "-o", "out")),
    Command("sharpness at worst", ("sharpness", "ckpts", "--mode", "worst", *STEPS, "-o", "out")),
    Command("rank in LaTeX", ("rank", *RANK, "-o", "out/rank.tex")),
    Command("rank checkpoints", ("rank", *RANK, "--checkpoints", "-o", "out/rank.json")),
    Command("plot a scatter", ("plot", "scatter", *RANK, "-o", "out/scatter.png", "--data", "out/scatter.csv")),
    Command("plot axes", ("plot", "axes", *RANK, "-o", "out/axes.svg", "--data", "out/axes.csv")),
)


class Given:
    """The files that the commands are given, in `folder`, made by commands too."""

    def __init__(self, folder):
        self.folder = Path(folder, "given")
        if self.folder.exists():
            return
        self.folder.mkdir()
        (self.folder / "grid.toml").write_text(GRID)
        (self.folder / "table.csv").write_text(TABLE)
        for command in (
            ("train", "--preset", "grid.toml", "--jobs", "1", "-o", "trained"),
            ("extract", "trained", "-o", "acts"),
            ("measure", "acts", "--k", "4", "-o", "results"),
        ):
            holds(*command, "-q", cwd=self.folder, allowed=(0,), seconds=60)
        (self.folder / "trained").rename(self.folder / "ckpts")

    def copy(self):
        """Put them into the current folder."""
        shutil.copytree(self.folder, ".", dirs_exist_ok=True)


def save_every_epoch():
    """Have `train` keep what it goes on from after each epoch, not only every so many seconds."""
    from icc_cli.training.task import Task

    Task.__init__.__defaults__ = (*Task.__init__.__defaults__[:-1], 0.0)


def left():
    """What is below the current folder by now: every file, hidden ones too, and a digest of what it holds."""
    return {str(path): digest(path) for path in sorted(Path().rglob("*")) if path.is_file()}


def digest(path):
    """sha256 of what a file holds, but for dates, seconds, and the sizes in a list of inputs, which only balance tasks
    and are 0 where they cannot be told."""
    if path.suffix == ".h5":
        return _text(_of_cache(path))
    if path.suffix == ".pt":
        content = torch.load(path, weights_only=True)
        content["metrics"].pop("seconds")
        tensors = {name: (str(tensor.dtype), tensor.tolist()) for name, tensor in content.pop("state_dict").items()}
        return _text([content, tensors])
    if path.name == "list":
        return _text([{**json.loads(line), "size": 0} for line in path.read_text().splitlines()])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _of_cache(path):
    found = {}
    with h5py.File(path, "r") as file:

        def keep(name, item):
            found[name] = {key: str(value) for key, value in item.attrs.items() if key != "creation-date"}
            if isinstance(item, h5py.Dataset):
                found[name]["numbers"] = hashlib.sha256(np.ascontiguousarray(item[()]).tobytes()).hexdigest()

        keep("/", file)
        file.visititems(keep)
    return found


def _text(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def only_whole(before, after, found):
    """Assert that each file of `found` is as it was before, or as it is after an undisturbed run, and none is lost."""
    for path, content in found.items():
        if not os.path.basename(path).startswith("."):  # noqa: PTH119
            assert content in (before.get(path), after.get(path)), f"{path} is half, or another"
    for path in before:
        if path in after:
            assert path in found, f"{path} is lost"
        elif path not in found:  # what it has become must be there
            record = Path("out", f"{Path(path).stem}.measure.json")
            assert found.get(str(record)) == after[str(record)], f"{path} is lost"


def same(found, whole):
    """Assert that the files that are left are those of an undisturbed run."""
    others = sorted(set(found.items()) ^ set(whole.after.items()))
    assert not others, f"it leaves others: {others[:4]}"


def goes_on(command, done, whole):
    """Run a command again that was disturbed, and assert that it then leaves what it should."""
    if done.code != 0:  # what is done may have removed what it was given
        done = command.run()
        assert done.code == 0, f"run again: {done.code} {done.err[-600:]}"
    same(left(), whole)
