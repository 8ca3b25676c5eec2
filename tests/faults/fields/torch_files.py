"""Fields of what torch.save writes: checkpoints of icc's and of others, and what a training leaves."""

from collections.abc import Iterator
from functools import partial

import torch

from tests.faults import nasty
from tests.faults.fields.change import Try, changes, commands, json_changes
from tests.faults.files import Good
from tests.faults.forked import holds

CHAIN = (("inspect", "net.pt"), ("extract", "net.pt", "-q"), ("measure", "net.h5", "-q", "-o", "out"))


def checkpoints(good: Good) -> Iterator[Try]:
    content = good.checkpoint()
    for name, change in changes(content, nasty.python_values(), most=6):
        yield f"checkpoint {name}", partial(_torch_file, good, change, CHAIN)


def foreign(good: Good) -> Iterator[Try]:
    content = good.foreign()
    chain = (("inspect", "net.pt"), ("extract", "net.pt", "-q", *good.model, *good.data), CHAIN[2])
    for name, change in changes(content, nasty.python_values(), most=3):
        yield f"foreign {name}", partial(_torch_file, good, change, chain)


def _torch_file(good, change, chain):
    folder = good.fresh()
    torch.save(change(), folder / "net.pt")
    commands(folder / "net.pt", *chain)


def trained(good: Good) -> Iterator[Try]:
    """What a training has left in its folder, finished or diverged or interrupted, before the same command again."""
    path, content = good.trained()
    plain = {key: value for key, value in content.items() if key != "state_dict"}
    for name, change in changes({**plain, "state_dict": {}}, nasty.python_values(), most=2):
        yield f"trained {name}", partial(_trained_file, good, path.name, change)
    for name, text in json_changes(plain, depth=2, most=2):
        yield f"trained diverged {name}", partial(_diverged_file, good, path.stem, text)
    state = {"content_key": content["content_key"], "network": content["state_dict"], "optimizer": {}, "progress": {}}
    for name, change in changes(state, nasty.python_values(), most=1):
        yield f"trained resume {name}", partial(_trained_file, good, f".{path.stem}.resume", change)


def _trained_file(good, name, change):
    folder = good.fresh()
    (folder / "ckpts").mkdir()
    torch.save(change(), folder / "ckpts" / name)
    _train(good, folder)


def _diverged_file(good, stem, text):
    folder = good.fresh()
    (folder / "ckpts").mkdir()
    (folder / "ckpts" / f"{stem}.diverged.json").write_text(text())
    _train(good, folder)


def _train(good, folder):
    (folder / "g.toml").write_text(good.toml(good.grid()))
    holds(*good.train, cwd=folder, allowed=(0, 1, 2))
