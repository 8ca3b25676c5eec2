"""Files of every format that icc reads, mutated at random with a fixed seed: read, or refused in a sentence.

Bytes are flipped, set, inserted, deleted, doubled, cut and spliced with those of other files; of archives, what is
inside, with the checksums put right. Nothing of a file is run: what would start a process, reach a network or write
elsewhere fails the try.
"""

import io
import json
import os
import random
import shutil
import sys
import zipfile
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from icc_cli.cli import app
from tests.faults.commands import RANK, Given

NAME = "mutated input"
QUICK = 130
TOGETHER = 100
ENDLESS = True
SEED = 2021
MOST_EDITS = 4
HEAD = 2048
TEXTS = (b"NaN", b"Infinity", b"-1", b"1e999", b"null", b'"', b"{", b"[", b",", b"\n", b"\0", b"\xff", b"9" * 400)
NUMBERS = (0, 1, 2**15, 2**31 - 1, 2**32, 2**63 - 1, 2**64 - 1)
DATA = ("extract", "net.pt", "--per-class", "2", "--mean", "0.5", "--std", "0.5", "-o", "out.h5")
READ_BY = {
    "cache": ("acts.h5", (("measure", "acts.h5", "--k", "3"), ("inspect", "acts.h5"))),
    "checkpoint": ("net.pt", (("inspect", "net.pt"),)),
    "checkpoint, inside": ("net.pt", (("inspect", "net.pt"), ("extract", "net.pt", "-o", "out.h5"))),
    "checkpoint, old form": ("legacy.pt", (("inspect", "legacy.pt"),)),
    "safetensors": ("net.safetensors", (("inspect", "net.safetensors"),)),
    "index of parts": ("model.safetensors.index.json", (("inspect", "model.safetensors.index.json"),)),
    "npz": ("data.npz", ((*DATA, "--data", "npz:data.npz"),)),
    "npz, inside": ("data.npz", ((*DATA, "--data", "npz:data.npz"),)),
    "HDF5 of arrays": ("data.h5", ((*DATA, "--data", "h5:data.h5"),)),
    "image": ("images/a/0.png", ((*DATA, "--data", "folder:images", "--image-size", "8"),)),
    "grid": ("grid.toml", (("train", "--preset", "grid.toml", "--list"),)),
    "records": ("records.jsonl", (("rank", "records.jsonl", "--checkpoints"), ("inspect", "records.jsonl"))),
    "table": ("table.csv", (("rank", *RANK),)),
    "hierarchy": ("map.csv", ((*DATA, "--data", "npz:data.npz", "--hierarchy", "map.csv"),)),
}
RUNS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "ctypes.dlopen")


def tries(folder):
    whole = _originals(Path(folder))
    seen = _watch()
    number = 0
    while True:
        for form, (name, commands) in READ_BY.items():
            do = partial(_read, whole, form, name, commands[number % len(commands)], number, seen)
            yield f"{form}: {number}", do
        number += 1


def _originals(folder):
    """A folder of good files, small, by the names of READ_BY."""
    given = Given(folder).folder
    whole = folder / "whole"
    (whole / "images").mkdir(parents=True)
    source, cache = sorted((given / "ckpts").glob("*.pt"))[0], sorted((given / "acts").glob("*.h5"))[0]
    shutil.copy(source, whole / "net.pt")
    shutil.copy(cache, whole / "acts.h5")
    content = torch.load(source, weights_only=True)
    torch.save(content, whole / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(content["state_dict"], whole / "net.safetensors")
    index = {"weight_map": dict.fromkeys(content["state_dict"], "net.safetensors")}
    (whole / "model.safetensors.index.json").write_text(json.dumps(index))
    images = np.random.default_rng(0).integers(0, 255, (20, 8, 8), np.uint8)
    labels = np.arange(20) % 10
    np.savez(whole / "data.npz", images=images, labels=labels)
    with h5py.File(whole / "data.h5", "w") as file:
        file["images"], file["labels"] = images, labels
    _images(whole / "images", images)
    shutil.copy(given / "grid.toml", whole)
    shutil.copy(given / "table.csv", whole)
    (whole / "records.jsonl").write_text("".join(path.read_text() for path in (given / "results").glob("*.json")))
    (whole / "map.csv").write_text("subclass,class\n" + "".join(f"{i},{i // 2}\n" for i in range(10)))
    return whole


def _images(folder, images):
    from PIL import Image

    for number in range(10):
        (folder / "abcdefghij"[number]).mkdir()
        Image.fromarray(images[number]).save(folder / "abcdefghij"[number] / "0.png")


def _read(whole, form, name, command, number, seen):
    dice = random.Random(f"{SEED} {form} {number}")
    for path in whole.rglob("*"):
        target = Path(path.relative_to(whole))
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    content = Path(name).read_bytes()
    Path(name).unlink()
    other = dice.choice([path for path in sorted(whole.rglob("*")) if path.is_file()]).read_bytes()
    inside = form.endswith("inside")
    Path(name).write_bytes(_inside(content, other, dice) if inside else mutated(content, other, dice))
    seen.clear()
    done = CliRunner().invoke(app, [*command, "-q"] if command[0] != "inspect" else [*command])
    shown = f"icc {' '.join(command)}: {done.exit_code} {done.stderr[-300:]}"
    assert done.exception is None or isinstance(done.exception, SystemExit), f"{shown} {done.exception!r}"
    assert done.exit_code in (0, 2, 3, 4), shown
    assert done.exit_code == 0 or "icc: error: " in done.stderr, shown
    assert not seen, f"{shown} {seen}"


def mutated(content, other, dice):
    """`content` with a few edits, of which one may come from the `other` content."""
    content = bytearray(content)
    for _ in range(dice.randint(1, MOST_EDITS)):
        _edit(content, other, dice)
    return bytes(content)


def _edit(content, other, dice):
    near = dice.random()
    at = dice.randrange(max(1, min(HEAD, len(content)) if near < 0.4 else len(content)))
    if near > 0.8:
        at = max(0, len(content) - 1 - at % HEAD)
    how = dice.choice(("flip", "set", "number", "text", "delete", "cut", "double", "zeros", "splice"))
    length = dice.choice((1, 2, 4, 8, 64, 512))
    if how == "flip" and content:
        content[at] ^= 1 << dice.randrange(8)
    elif how == "set":
        content[at : at + length] = dice.randbytes(length)
    elif how == "number":
        content[at : at + 8] = dice.choice(NUMBERS).to_bytes(8, dice.choice(("little", "big")))
    elif how == "text":
        content[at:at] = dice.choice(TEXTS)
    elif how == "delete":
        del content[at : at + length]
    elif how == "cut":
        del content[at:]
    elif how == "double":
        content[at:at] = content[at : at + length]
    elif how == "zeros":
        content[at : at + length] = bytes(length)
    elif how == "splice":
        place = dice.randrange(max(1, len(other)))
        content[at : at + length] = other[place : place + length]


def _inside(content, other, dice):
    """A zip archive of which one member is mutated."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(made, "w") as written:
        members = archive.infolist()
        structure = [one.filename for one in members if one.filename.endswith(("data.pkl", ".npy"))]
        chosen = dice.choice(structure)
        for one in members:
            held = archive.read(one)
            written.writestr(one.filename, mutated(held, other, dice) if one.filename == chosen else held)
    return made.getvalue()


def _watch():
    """The events of this process, from now on, that code in a file would cause: a list to be cleared before a try."""
    seen = []

    def hook(event, arguments):
        if event in RUNS and not (event == "ctypes.dlopen" and _is_a_library(arguments[0])):
            seen.append(f"{event} {arguments!r}"[:200])
        elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            path = os.path.abspath(str(arguments[0]))  # noqa: PTH100
            if not path.startswith((os.getcwd(), "/dev/", "/proc/")):  # noqa: PTH109
                seen.append(f"open {path}")

    sys.addaudithook(hook)
    return seen


def _is_a_library(name):
    """Whether it is one of those that Python's packages load by themselves."""
    return name is None or str(name).startswith((sys.prefix, sys.base_prefix, "lib"))
